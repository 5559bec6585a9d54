# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The relay from RGW's http push to Kafka: Debian's radosgw is built without its kafka endpoint.

relay_up() {
  start relay env PYTHONPATH="$PRODUCT_RELAY/site" /usr/bin/python3 -m relay \
    --listen "$NODE_IP:$RELAY_PORT" --ca-file "$LAB_HOME/kafka-ca.crt"
  wait_for 20 "the relay answers" curl -fsS "http://$NODE_IP:$RELAY_PORT/healthz"
}

relay_down() { stop relay; }
