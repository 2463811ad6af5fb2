"""A print shop: order prints of your picture, get a confirmation by mail.

What follows the answer is a task. Kill the process at any moment: no task is lost.
"""

import asyncio
import os
from email.message import EmailMessage
from typing import Annotated

import aiosmtplib
from fastapi import FastAPI, Form, HTTPException, UploadFile
from fastapi.responses import RedirectResponse
from PIL import Image, ImageOps

from outlive import TaskAdmin, TaskManager, Tasks, progress, task_log
from outlive.demo.picture import sample_picture
from outlive.demo.store import Order, Product, Store, catalogue

store = Store(os.environ.get("SHOP_FOLDER", "outlive-demo"))
manager = TaskManager(f"{store.folder}/tasks.db", max_concurrent_tasks=4)
app = FastAPI(title="Halftone, a print shop")
TaskAdmin(app, manager, title="Print shop", display_func_args=True)  # serves /tasks/dashboard and, as JSON, /tasks


# Safe to repeat, since it would only write the same file again.
@manager.task(requeue_on_interrupt=True)
def make_thumbnail(order_id: str) -> None:
    with Image.open(store.picture(order_id)) as picture:  # a plain function: it has a thread to itself
        ImageOps.exif_transpose(picture, in_place=True)
        task_log(f"the picture has {picture.width} x {picture.height} pixels")
        picture.thumbnail((640, 480))
        store.keep_thumbnail(order_id, picture.convert("RGB"))


# Mail servers say "try again later": this does, after 1, 2 and 4 seconds. Mail overtakes the import.
@manager.task(retries=3, delay=1.0, backoff=2.0, timeout=30, priority=10)
async def send_confirmation(order_id: str) -> None:
    order, mail = store.order(order_id), EmailMessage()
    mail["Message-ID"], mail["Subject"] = f"<{order.id}@halftone.example>", f"Your order {order.id}"
    mail["From"], mail["To"] = "Halftone <shop@halftone.example>", order.email
    mail.set_content(f"Thank you!\n\n{order.copies} x {order.product.title} will be with you soon.\n")
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=int(os.environ["SHOP_MAIL_PORT"]))
    task_log(f"the mail server took the mail to {order.email}")


# Not safe to repeat: if the process dies in the middle, a person looks into the tray and decides.
@manager.task()
async def print_copies(order_id: str, copies: int) -> None:
    for copy in range(1, copies + 1):
        await asyncio.sleep(1.0)  # the printer
        progress(copy, copies, "in the tray")
        task_log(f"{order_id}: copy {copy} of {copies} is in the tray")


@manager.task(requeue_on_interrupt=True, retries=2, delay=1.0)
async def import_product(product: Product) -> None:
    await asyncio.sleep(0.8)  # the supplier's slow service
    store.keep_product(product)
    task_log(f"{product.title} is on the shelf")


@app.post("/orders")
def place_order(
    *,
    tasks: Tasks,
    email: Annotated[str, Form(pattern=r"^[^@\s]+@[^@\s]+$")],
    sku: Annotated[str, Form()],
    copies: Annotated[int, Form(ge=1, le=20)] = 1,
    picture: UploadFile | None = None,
    sample: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    product = store.product(sku)
    if product is None:
        raise HTTPException(404, f"no product {sku!r} is on the shelf; import the catalogue")
    if not sample and not (picture and picture.size):
        raise HTTPException(422, "send a picture, or sample=true to order with a sample")
    order = Order(email=email, product=product, copies=copies)
    later = tasks.after_response  # stored before the answer leaves, started after it
    order.tasks = {
        "Thumbnail": later.schedule(make_thumbnail, order.id).id,
        "Confirmation": later.schedule(send_confirmation, order.id).id,
        "Printing": later.schedule(print_copies, order.id, copies).id,
    }
    store.keep_order(order, picture.file.read() if picture and not sample else sample_picture())
    return RedirectResponse(f"/orders/{order.id}", status_code=303)


@app.post("/catalogue")
async def import_catalogue() -> RedirectResponse:
    await manager.enqueue_many(import_product, [[product] for product in catalogue()])  # all of it, or nothing
    return RedirectResponse("/", status_code=303)
