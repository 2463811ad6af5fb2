"""The shop's pages. The HTML is in `templates/`; what is put into it is escaped here."""

import os
from email.message import EmailMessage
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, HTMLResponse
from starlette.concurrency import run_in_threadpool

from outlive import Page, TaskFilter, TaskStatus
from outlive.demo.mail import messages
from outlive.demo.shop import manager, store
from outlive.demo.store import Order, OrderId, Product, catalogue

router = APIRouter(include_in_schema=False)

AT_WORK = TaskFilter(func="import_product", statuses=frozenset({TaskStatus.PENDING, TaskStatus.RUNNING}))


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


@router.get("/")
def home() -> HTMLResponse:
    options = [_render("option.html", sku=product.sku, title=_with_price(product)) for product in store.products()]
    cards = [_render("card.html", id=order.id, title=order.product.title) for order in store.orders()]
    return _page(
        "home.html",
        title="Prints of your pictures",
        options=_join(options),
        orders=_join(cards) or _render("no_orders.html"),
        total=len(catalogue()),
        process=os.getpid(),
    )


@router.get("/orders/{order_id}")
def show_order(order_id: OrderId) -> HTMLResponse:
    order = _find(order_id)
    steps = [_render("step.html", name=name, task_id=task_id) for name, task_id in order.tasks.items()]
    return _page(
        "order.html",
        title=f"Order {order.id}",
        id=order.id,
        product=order.product.title,
        copies=order.copies,
        price=f"{order.copies * order.product.price:.2f}",
        email=order.email,
        placed_at=f"{order.placed_at.astimezone():%d %B %Y, %H:%M:%S}",
        steps=_join(steps),
    )


@router.get("/orders/{order_id}/thumbnail")
def show_thumbnail(order_id: OrderId) -> FileResponse:
    path = store.thumbnail(_find(order_id).id)
    if not path.exists():
        raise HTTPException(404, "the thumbnail is not made yet")
    return FileResponse(path, headers={"Cache-Control": "no-cache"})


@router.get("/catalogue")
async def show_catalogue() -> dict[str, Any]:
    products = await run_in_threadpool(store.products)
    at_work = await manager.find(AT_WORK, Page(limit=1000))
    return {
        "products": [{"sku": product.sku, "title": _with_price(product)} for product in products],
        "at_work": len(at_work),
        "process": os.getpid(),
    }


@router.get("/mailbox")
def show_mailbox() -> HTMLResponse:
    mails = [_render_mail(mail) for mail in messages(store.folder / "mail")]
    return _page("mailbox.html", title="Mailbox", mails=_join(mails) or _render("no_mail.html"))


def _find(order_id: str) -> Order:
    try:
        return store.order(order_id)
    except FileNotFoundError:
        raise HTTPException(404, f"there is no order {order_id}") from None


def _with_price(product: Product) -> str:
    return f"{product.title} (€ {product.price:.2f})"


def _render_mail(mail: EmailMessage) -> Html:
    body = mail.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    return _render("mail.html", subject=mail["Subject"], sender=mail["From"], recipient=mail["To"], text=text)


def _page(template: str, /, *, title: str, **values: object) -> HTMLResponse:
    content = _render(template, **values)
    return HTMLResponse(
        _render("base.html", title=title, style=_read("shop.css"), script=_read("shop.js"), content=content)
    )


def _render(template: str, /, **values: object) -> Html:
    return Html(Template(_read(template)).substitute({key: _escape(value) for key, value in values.items()}))


def _escape(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value))


def _join(parts: list[Html]) -> Html:
    return Html("".join(parts))


@cache
def _read(name: str) -> Html:
    return Html(files("outlive.demo").joinpath("templates", name).read_text(encoding="utf-8"))
