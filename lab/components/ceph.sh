# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# One-node Ceph (mon, mgr, osd on a sparse file, radosgw over TLS) as plain processes: the site's external object store.

ceph_up() {
  local home=$LAB_HOME/ceph first=
  [ -e "$home/made" ] || first=yes
  if [ "$first" ]; then
    ceph_down # what an interrupted first start left can't be continued
    rm -rf "$home"
    mkdir -p "$home"/{mon/a,mgr/x,osd/0,rgw}
    local fsid
    fsid=$(</proc/sys/kernel/random/uuid)
    fill "$LAB_DIR/conf/ceph.conf.in" | sed "s#@FSID@#$fsid#" | put "$CEPH_CONF"
    ceph_keys "$home" "$fsid"
  fi
  start ceph-mon ceph-mon -c "$CEPH_CONF" -f -i a
  wait_for 60 "the monitor answers" ceph --connect-timeout 3 mon stat
  if [ "$first" ]; then
    local osd
    osd=$(</proc/sys/kernel/random/uuid)
    ceph osd new "$osd" 0
    ceph-osd -c "$CEPH_CONF" -i 0 --mkfs --osd-uuid "$osd" --no-mon-config
  fi
  start ceph-mgr ceph-mgr -c "$CEPH_CONF" -f -i x
  start ceph-osd ceph-osd -c "$CEPH_CONF" -f -i 0
  wait_for 60 "the OSD is up" bash -c 'ceph osd stat | grep -q "1 up"'
  radosgw_start
  wait_for 60 "S3 answers" curl -fsS --cacert "$LAB_HOME/ca.crt" -o /dev/null "https://$NODE_IP:$S3_PORT/"
  if [ ! -s "$home/admin.json" ]; then
    radosgw-admin user create --uid=lab-admin --display-name="Lab administrator" --caps='users=*;buckets=*;metadata=*;usage=*' |
      python3 -c 'import json, sys; k = json.load(sys.stdin)["keys"][0]; print(json.dumps({n: k[n] for n in ("access_key", "secret_key")}))' \
        >"$home/admin.new"
    chmod 600 "$home/admin.new"
    mv "$home/admin.new" "$home/admin.json"
  fi
  ceph_metrics
  start rgw-watch "$LAB_DIR/rgw-watch"
  touch "$home/made"
}

radosgw_start() { start radosgw radosgw -c "$CEPH_CONF" -f -n client.rgw.a; }

# The metrics of the whole Ceph, radosgw's too, at the manager's usual port; anew every 5 s, as often as the lab's Prometheus asks.
ceph_metrics() {
  local url=http://$NODE_IP:9283/metrics
  if ! curl -fsS -o /dev/null "$url"; then
    # A manager that has just begun does not tell the monitor yet which options its modules have.
    ceph config set mgr mgr/prometheus/server_addr "$NODE_IP" --force
    ceph config set mgr mgr/prometheus/scrape_interval 5 --force
    wait_for 60 "the manager knows its module" ceph mgr module enable prometheus
  fi
  wait_for 60 "Ceph tells its metrics" curl -fsS -o /dev/null "$url"
}

# ceph_keys HOME FSID: keyring, monitor map and the monitor's store.
ceph_keys() {
  local ring=$1/keyring
  ceph-authtool --create-keyring "$ring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$ring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$ring" --gen-key -n mgr.x --cap mon 'allow profile mgr' --cap osd 'allow *'
  ceph-authtool "$ring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap mgr 'allow profile osd' --cap osd 'allow *'
  ceph-authtool "$ring" --gen-key -n client.rgw.a --cap mon 'allow rw' --cap mgr 'allow rw' --cap osd 'allow rwx'
  monmaptool --create --clobber --fsid "$2" --addv a "[v2:$NODE_IP:3300,v1:$NODE_IP:6789]" "$1/monmap"
  ceph-mon -c "$CEPH_CONF" --mkfs -i a --monmap "$1/monmap" --keyring "$ring"
}

ceph_down() {
  stop rgw-watch
  stop radosgw ceph-osd ceph-mgr ceph-mon
}
