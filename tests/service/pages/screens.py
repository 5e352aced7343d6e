"""Screens, and names that tests of pages share."""

import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE, DESK = {"width": 375, "height": 700}, {"width": 1100, "height": 800}
ODD = ("<img src=x onerror=alert(1)>", '"><script>alert(2)', "ant")
"""Names of classes, as folders may be called."""
