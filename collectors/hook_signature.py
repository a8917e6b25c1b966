"""How senders sign what they push: Standard Webhooks, an HMAC in a header, or the secret itself in one."""

from base64 import b64decode
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from collectors.hook import Delivery, Refused, digest, instant, same, see_fresh, see_signature

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$"), AfterValidator(str.lower)]


class _Signature(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StandardSignature(_Signature):
    """Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`; the secret begins with `whsec_`."""

    type: Literal["standard"] = "standard"

    def verify(self, delivery: Delivery, secret: str) -> None:
        """Compare any of the signatures (a secret that changes signs twice), then the timestamp."""
        try:
            key = b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            raise Refused("our secret is none of Standard Webhooks: whsec_ and base64 would be right") from None
        headers = delivery.headers
        identity, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        expected = digest(key, f"{identity}.{stamp}.".encode(), delivery.body, encoding="base64")
        given = [part.removeprefix("v1,") for part in headers.get("webhook-signature", "").split()[:16]]
        if not any(same(one, expected) for one in given):
            raise Refused("webhook-signature is not of this body and our secret")
        see_fresh(instant(stamp), delivery.now, "webhook-timestamp")


class HmacSignature(_Signature):
    """An HMAC in a header: of the body, or of what `signed` says, with `{timestamp}` from a header of its own."""

    type: Literal["hmac"]
    header: HeaderName
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field(default="", max_length=32)
    timestamp_header: HeaderName | None = None
    signed: Annotated[str, StringConstraints(pattern=r"^[^{}]{0,32}(\{timestamp\})?[^{}]{0,8}\{body\}$")] = "{body}"

    def verify(self, delivery: Delivery, secret: str) -> None:
        """Compare the header, then the timestamp where there is one."""
        stamp = delivery.headers.get(self.timestamp_header, "") if self.timestamp_header else ""
        before = self.signed.removesuffix("{body}").replace("{timestamp}", stamp).encode()
        made = digest(secret.encode(), before, delivery.body, algorithm=self.algorithm, encoding=self.encoding)
        see_signature(delivery.headers.get(self.header), self.prefix + made, self.header)
        if self.timestamp_header and "{timestamp}" in self.signed:
            see_fresh(instant(stamp), delivery.now, self.timestamp_header)


class TokenSignature(_Signature):
    """The secret itself in a header, for senders that sign nothing: `Authorization: Bearer SECRET`."""

    type: Literal["token"]
    header: HeaderName = "authorization"
    prefix: str = Field(default="Bearer ", max_length=32)

    def verify(self, delivery: Delivery, secret: str) -> None:
        """Compare the header."""
        see_signature(delivery.headers.get(self.header), self.prefix + secret, self.header)


#: A hook's `signature`, told apart by `type`.
Signature = Annotated[StandardSignature | HmacSignature | TokenSignature, Field(discriminator="type")]
