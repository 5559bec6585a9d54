# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes RGW's http notifications to Kafka, because Debian compiles RGW's own kafka endpoint out. Keeps no state."""
