# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways in which a study can fail. Their texts never hold object keys or pixels: they end up in logs."""


class Refused(Exception):
    """Trying again cannot help: the event is answered 422 and goes to the dead letters with this reason."""


class TryLater(Exception):
    """Trying again can help: the event is answered 503 and is delivered again."""
