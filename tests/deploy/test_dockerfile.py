"""The image is small in what it takes in, runs as nobody special, and installs what the lock file names."""

import json
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.deploy.chart import render

ROOT = Path(__file__).resolve().parents[2]
Step = tuple[str, str]


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    """Instructions in order, continued lines joined, comments left out."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined if line.strip())]


def of(steps: list[Step], instruction: str) -> list[str]:
    return [rest for word, rest in steps if word == instruction]


def last_stage(steps: list[Step]) -> list[Step]:
    return steps[max(index for index, (word, _) in enumerate(steps) if word == "FROM") :]


def from_the_project(steps: list[Step]) -> set[str]:
    copies = [shlex.split(rest) for rest in of(steps, "COPY")]
    return {name for words in copies if not words[0].startswith("--from") for name in words[:-1]}


def test_both_stages_start_from_the_same_official_image(steps: list[Step]) -> None:
    assert [rest.split()[0] for rest in of(steps, "FROM")] == ["python:3.12-slim", "python:3.12-slim"]


def test_the_last_stage_takes_only_what_the_first_built(steps: list[Step]) -> None:
    assert of(last_stage(steps), "COPY") == ["--from=build /opt/foreshock /opt/foreshock"]
    assert [run for run in of(last_stage(steps), "RUN") if "pip" in run] == []


def test_dependencies_come_by_hash_and_the_project_brings_none(steps: list[Step]) -> None:
    dependencies, project = [run for run in of(steps, "RUN") if "pip install" in run]
    assert "--require-hashes" in dependencies
    assert "-r requirements.lock" in dependencies
    assert "--no-deps ." in project
    assert "pip check" in project, "a lock file that lacks a dependency must stop the build"


def test_nothing_is_fetched_by_address(steps: list[Step]) -> None:
    assert of(steps, "ADD") == []
    assert [rest for _, rest in steps if "://" in rest or "index-url" in rest] == []


def test_no_secret_is_baked_in(steps: list[Step]) -> None:
    words = ("KEY", "TOKEN", "PASSWORD", "SECRET")
    assert [rest for rest in of(steps, "ENV") + of(steps, "ARG") if any(word in rest.upper() for word in words)] == []


def test_it_runs_as_the_numbered_user_that_the_chart_names(steps: list[Step]) -> None:
    (user,) = of(last_stage(steps), "USER")
    security = render().pods()["api"]["spec"]["securityContext"]
    assert user == f"{security['runAsUser']}:{security['runAsGroup']}"
    assert int(user.partition(":")[0]) > 0


def test_it_starts_foreshock_without_a_shell(steps: list[Step]) -> None:
    (entrypoint,), (command,) = of(steps, "ENTRYPOINT"), of(steps, "CMD")
    assert json.loads(entrypoint) == ["foreshock"]
    role, *options = json.loads(command)
    assert role == "serve"
    assert f"--data-dir={of(steps, 'VOLUME')[0]}" in options


def test_the_context_holds_what_is_copied_and_nothing_else(steps: list[Step]) -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == from_the_project(steps)


def test_all_that_the_build_needs_is_copied(steps: list[Step]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"], *wheel["packages"]}
    needed |= {source.partition("/")[0] for source in wheel["force-include"]}
    assert needed <= from_the_project(steps)


@pytest.mark.parametrize("name", ["requirements.lock", "README.md"])
def test_what_is_copied_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


def test_the_chart_runs_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((ROOT / "helm" / "foreshock" / "Chart.yaml").read_text())
    assert chart["appVersion"] == project["version"]
    assert render().container("api")["image"] == f"foreshock:{project['version']}"
