"""The board: a page that shows brands and open episodes live, behind a login with a key."""

from pathlib import Path
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape

from service.access import find_key
from service.api.context import COOKIE, Ctx

router = APIRouter(include_in_schema=False)

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "board"), autoescape=select_autoescape(default=True)
)
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/")
async def get_board(request: Request, ctx: Ctx) -> Response:
    """Show the board, or the login where there is no valid key yet."""
    key = await find_key(ctx.store, request.cookies.get(COOKIE, ""))
    if key is None or key.scope != "admin":
        return _page("login.html")
    return _page("board.html")


@router.post("/login")
async def post_login(request: Request, ctx: Ctx) -> Response:
    """Take a key and remember it in a cookie that scripts can't read and other sites can't send."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    key = form.get("key", [""])[0].strip()
    found = await find_key(ctx.store, key)
    if found is None or found.scope != "admin":
        return _page("login.html", status=403, wrong=True)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, key, httponly=True, samesite="strict", max_age=30 * 86_400)
    return answer


@router.post("/logout")
async def post_logout() -> Response:
    """Forget the key."""
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(COOKIE)
    return answer


def _page(name: str, status: int = 200, **values: object) -> HTMLResponse:
    return HTMLResponse(_pages.get_template(name).render(**values), status, HEADERS)
