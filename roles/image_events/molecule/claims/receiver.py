# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 receiver.py HOST PORT SECONDS: takes what RGW pushes first, prints its path and body, and ends.

The lab's relay trusts the facility's Kafka only, so a scenario with a Kafka of its own has to see the push itself.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(json.dumps({"path": self.path, "login": "Authorization" in self.headers, "event": json.loads(body)}))
        time.sleep(0.2)  # RGW must be waiting for the answer when it comes: lab/rgw-watch says why
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


host, port, seconds = sys.argv[1:]
server = HTTPServer((host, int(port)), Receiver)
server.timeout = float(seconds)
server.handle_timeout = lambda: sys.exit("expected a notification of RGW, saw none")
server.handle_request()
