"""What the shop knows, as files in one folder: products, orders, pictures."""

import csv
import os
import secrets
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from PIL import Image
from pydantic import BaseModel, Field, StringConstraints

OrderId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8}$")]


class Product(BaseModel):
    sku: Annotated[str, StringConstraints(pattern="^[A-Z0-9-]+$")]
    name: str
    size: str
    price: Decimal

    @property
    def title(self) -> str:
        return f"{self.name}, {self.size}"


class Order(BaseModel):
    id: OrderId = Field(default_factory=lambda: secrets.token_hex(4))
    placed_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    email: str
    product: Product
    copies: int
    #: What is done for the order, and the id of its task.
    tasks: dict[str, str] = {}


@cache
def catalogue() -> list[Product]:
    """The products of the supplier's CSV file."""
    text = files("outlive.demo").joinpath("catalogue.csv").read_text(encoding="utf-8")
    return [Product.model_validate(row) for row in csv.DictReader(text.splitlines())]


class Store:
    """Every file is complete as soon as it has its name, so that a killed process leaves no half of one."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder).absolute()
        for name in ("products", "orders", "pictures", "thumbnails"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def products(self) -> list[Product]:
        """The products on the shelf, as the catalogue orders them; its first is always there."""
        kept = [Product.model_validate_json(path.read_bytes()) for path in (self.folder / "products").glob("*.json")]
        by_sku = {product.sku: product for product in [catalogue()[0], *kept]}
        return [by_sku[product.sku] for product in catalogue() if product.sku in by_sku]

    def product(self, sku: str) -> Product | None:
        return next((product for product in self.products() if product.sku == sku), None)

    def keep_product(self, product: Product) -> None:
        self._write(f"products/{product.sku}.json", product.model_dump_json().encode())

    def orders(self, limit: int = 12) -> list[Order]:
        """The newest orders."""
        kept = [Order.model_validate_json(path.read_bytes()) for path in (self.folder / "orders").glob("*.json")]
        return sorted(kept, key=lambda order: order.placed_at, reverse=True)[:limit]

    def order(self, order_id: str) -> Order:
        """One order; `FileNotFoundError` where there is none."""
        return Order.model_validate_json((self.folder / f"orders/{order_id}.json").read_bytes())

    def keep_order(self, order: Order, picture: bytes) -> None:
        self._write(f"pictures/{order.id}", picture)
        self._write(f"orders/{order.id}.json", order.model_dump_json(indent=2).encode())

    def picture(self, order_id: str) -> Path:
        return self.folder / "pictures" / order_id

    def thumbnail(self, order_id: str) -> Path:
        return self.folder / "thumbnails" / f"{order_id}.jpg"

    def keep_thumbnail(self, order_id: str, picture: Image.Image) -> None:
        draft = self._draft()
        picture.save(draft, "JPEG", quality=85)
        draft.replace(self.thumbnail(order_id))

    def _write(self, name: str, content: bytes) -> None:
        draft = self._draft()
        draft.write_bytes(content)
        draft.replace(self.folder / name)

    def _draft(self) -> Path:
        return self.folder / f".{os.getpid()}-{secrets.token_hex(4)}.tmp"
