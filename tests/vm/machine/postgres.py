# SPDX-License-Identifier: GPL-2.0-only
"""The disk with PostgreSQL for guests, made once for all of them."""
import hashlib
import os
import subprocess

from .build import CACHE, HERE, Locked


def postgres_image(parts):
    """The image's path; tests/crash/mkpostgres.sh says what it holds."""
    recipe = os.path.join(HERE, "../crash/mkpostgres.sh")
    with open(recipe, "rb") as f:
        image = os.path.join(CACHE, f"postgres-{hashlib.sha256(f.read()).hexdigest()[:12]}.img")
    with Locked(os.path.join(parts.build, "postgres.lock")):
        if not os.path.exists(image):
            subprocess.run([recipe, image], check=True, stdout=subprocess.DEVNULL)
    return image
