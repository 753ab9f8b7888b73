"""Who is let in: whoever has the token, as the password of any user, as `docker login` writes it down.

Loopback is no protection: every user of the machine reaches it, and what they pushed would be run as this one.
"""

import base64
import hmac
import json
from collections.abc import Mapping

USER = "devloop"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="devloop sandbox"'}


def authorization(token: str) -> dict[str, str]:
    """The header that lets in; none for a registry without a token."""
    return {"Authorization": f"Basic {_encoded(token)}"} if token else {}


def docker_config(host: str, token: str) -> str:
    """The `config.json` of somebody who has logged in there."""
    return json.dumps({"auths": {host: {"auth": _encoded(token)}}})


def lets_in(headers: Mapping[str, str], token: str) -> bool:
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    try:
        password = base64.b64decode(encoded, validate=True).partition(b":")[2]
    except ValueError:  # no base64, or not even ASCII
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(password, token.encode())


def _encoded(token: str) -> str:
    return base64.b64encode(f"{USER}:{token}".encode()).decode()
