"""Forms that other sites cannot send in a visitor's name (cross-site request forgery).

A form repeats a random token of a cookie, which other sites can neither read nor set: OWASP's
double-submit cookie. Instances share no secret for it. What browsers say of a request's origin is
checked first. https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import re
import secrets
from typing import Annotated

from fastapi import Depends, Request, Response

from .problems import Problem

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class ForgedForm(Problem):
    """A form came from another site, or without the token of its page."""

    status = 403


def cookie_name(request: Request) -> str:
    """Return the cookie's name; browsers let only this host set a `__Host-` cookie, over HTTPS."""
    return "__Host-csrf_token" if request.url.scheme == "https" else "csrf_token"


def csrf_token(request: Request) -> str:
    """Return the client's token, or a new one."""
    token = request.cookies.get(cookie_name(request), "")
    return token if TOKEN.fullmatch(token) else secrets.token_urlsafe(32)


def keep_csrf_token(request: Request, response: Response, token: str) -> None:
    """Set the cookie if the client does not have it yet; it ends with the browser."""
    name = cookie_name(request)
    if request.cookies.get(name) != token:
        # Not `strict`: a link from another site would then come without the cookie, and replace it.
        secure = request.url.scheme == "https"
        response.set_cookie(name, token, secure=secure, httponly=True, samesite="lax")


def is_cross_site(request: Request) -> bool:
    """Return whether the browser says that another origin sent the request.

    Browsers set Sec-Fetch-Site for HTTPS and localhost. Origin is for the others: it is compared to
    the Host header, which a proxy must keep.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host")


async def read_form(request: Request) -> dict[str, str]:
    """Return a form's fields; raise `ForgedForm`."""
    if is_cross_site(request):
        raise ForgedForm("Another site has sent this form, so nothing was changed.")
    fields: dict[str, str] = {}
    # Pages send no files, so nothing of multipart bodies has to be read.
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        async with request.form(max_fields=20) as form:
            fields = {name: str(value) for name, value in form.items()}
    cookie = request.cookies.get(cookie_name(request), "")
    sent_token = fields.get("csrf_token", "").encode()
    if not (TOKEN.fullmatch(cookie) and secrets.compare_digest(cookie.encode(), sent_token)):
        raise ForgedForm(
            "The form is too old, or your browser refuses cookies, so nothing was changed."
            " Go back, reload the page, and send the form again."
        )
    return fields


FormFields = Annotated[dict[str, str], Depends(read_form)]
