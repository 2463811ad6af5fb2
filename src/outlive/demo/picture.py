"""A picture for visitors who have none at hand: hills under a sun, never twice the same."""

import colorsys
import io
import math
import random

from PIL import Image, ImageDraw, ImageFilter

SIZE = WIDTH, HEIGHT = 1200, 900
Colour = tuple[int, int, int]


def sample_picture() -> bytes:
    """A new landscape as PNG."""
    hue = random.random()
    top, bottom = _colour(hue, 0.55, 0.55), _colour(hue + 0.08, 0.35, 0.98)
    picture = Image.new("RGB", SIZE)
    _draw_sky(picture, top, bottom)
    _draw_sun(picture, _colour(hue + 0.12, 0.25, 1.0))
    for nearness in (0.2, 0.45, 0.7, 1.0):
        _draw_hill(picture, nearness, _colour(hue + 0.03 * nearness, 0.35 + 0.35 * nearness, 0.8 - 0.62 * nearness))
    content = io.BytesIO()
    picture.save(content, "PNG", compress_level=1)
    return content.getvalue()


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _draw_sky(picture: Image.Image, top: Colour, bottom: Colour) -> None:
    draw = ImageDraw.Draw(picture)
    for y in range(HEIGHT):
        red, green, blue = (round(a + (b - a) * y / HEIGHT) for a, b in zip(top, bottom, strict=True))
        draw.line((0, y, WIDTH, y), fill=(red, green, blue))


def _draw_sun(picture: Image.Image, colour: Colour) -> None:
    x, y, radius = random.randint(250, 950), random.randint(200, 380), random.randint(70, 120)
    disc = Image.new("L", SIZE)
    ImageDraw.Draw(disc).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    halo = disc.filter(ImageFilter.GaussianBlur(60))
    picture.paste(colour, mask=halo)
    picture.paste(colour, mask=disc.filter(ImageFilter.GaussianBlur(1)))


def _draw_hill(picture: Image.Image, nearness: float, colour: Colour) -> None:
    """A ridge made of three waves, drawn down to the lower edge."""
    waves = [(random.uniform(0, math.tau), random.uniform(0.6, 1.4) * k, 90 / k) for k in (1, 2.3, 5.1)]
    level = HEIGHT * (0.45 + 0.38 * nearness)
    ridge = [
        (x, level + sum(height * math.sin(phase + x / WIDTH * math.tau * pitch) for phase, pitch, height in waves))
        for x in range(0, WIDTH + 8, 8)
    ]
    ImageDraw.Draw(picture).polygon([(0, HEIGHT), *ridge, (WIDTH, HEIGHT)], fill=colour)
