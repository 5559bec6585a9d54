# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# The lab's supervisor: starts, finds, stops and waits for processes; shows steps. Knows no component. Sourced after env.sh.

# One step of the run: number, text, elapsed time; on failure its log's tail and file.
# step TEXT CMD...: CMD's output goes to a log of its own. STEPS and STEP are the caller's counters.
STEP=0
step() {
  local text=$1 log from=$SECONDS
  shift
  STEP=$((STEP + 1))
  log=$LOG/step-$(printf %02d "$STEP")-$(tr -cs 'a-zA-Z0-9\n' - <<<"$text" | tr '[:upper:]' '[:lower:]').log
  printf '[%2d/%d %4ds] %s ...\n' "$STEP" "$STEPS" "$SECONDS" "$text"
  # `set -e` is ignored inside a condition, so the step runs in a shell of its own.
  bash -euo pipefail -c '. "$0/env.sh"; . "$0/lib.sh"; set -a; [ ! -e "$LAB_HOME/products.env" ] || . "$LAB_HOME/products.env"; set +a; for f in "$0"/components/*.sh; do . "$f"; done; "$@"' \
    "$LAB_DIR" "$@" >"$log" 2>&1 || {
    printf '\nFAILED after %ss: %s\n--- the end of %s\n' "$((SECONDS - from))" "$text" "$log" >&2
    tail -n 25 "$log" >&2
    return 1
  }
}

# start NAME CMD...: runs CMD in a session of its own with a log and a pid file, unless it runs already.
start() {
  local name=$1
  shift
  running "$name" && return
  echo "starting $name"
  detached "$@" >>"$LOG/$name.log" 2>&1 </dev/null &
  echo "$! $(started_at $!)" >"$RUN/$name.pid"
}

# A daemon keeps none of its starter's open files: a lock among them (ours, or one that lab/up was called under) would be held
# as long as it runs.
detached() {
  local file
  for file in "/proc/$BASHPID/fd"/*; do
    ((${file##*/} < 3)) || eval "exec ${file##*/}>&-"
  done
  exec setsid nohup "$@"
}

# The kernel's start time of a process: a pid file left by a killed lab may name somebody else's process by now.
started_at() { awk '{print $22}' "/proc/$1/stat" 2>/dev/null || true; }

running() {
  local pid from
  [ -s "$RUN/$1.pid" ] && read -r pid from <"$RUN/$1.pid" && [ -n "$from" ] && [ "$(started_at "$pid")" = "$from" ] &&
    ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null
}

pid_of() { cut -d' ' -f1 "$RUN/$1.pid"; }

# stop NAME...: TERM to all at once, up to 15 s, then KILL.
stop() {
  local name
  for name; do ! running "$name" || kill "$(pid_of "$name")" || true; done
  for name; do
    for _ in {1..150}; do running "$name" || break; sleep .1; done
    ! running "$name" || kill -9 "$(pid_of "$name")" || true
    rm -f "$RUN/$name.pid"
  done
}

# wait_for SECONDS WHAT CMD...: polls until CMD succeeds.
wait_for() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      echo "timed out waiting for $what; the last try said:" >&2
      "$@" >&2 || true
      echo "logs: $LOG" >&2
      return 1
    fi
    sleep .2
  done
  echo "$what"
}

# put FILE: writes standard input to FILE only when it differs (kube-proxy ends when its configuration file is touched).
put() {
  local text
  text=$(cat)
  mkdir -p "$(dirname "$1")"
  if [ ! -f "$1" ] || [ "$text" != "$(<"$1")" ]; then printf '%s\n' "$text" >"$1"; fi
}

# fill FILE: a manifest or configuration of the lab with its @NAMES@ and image references filled in.
fill() {
  sed -e "s#@LAB_HOME@#$LAB_HOME#g; s#@RUN@#$RUN#g; s#@LOG@#$LOG#g; s#@PKI@#$PKI#g; s#@NODE@#$NODE#g; s#@NODE_IP@#$NODE_IP#g" \
    -e "s#@REGISTRY@#$REGISTRY#g; s#@S3_PORT@#$S3_PORT#g; s#@DNS_IP@#$DNS_IP#g; s#@POD_CIDR@#$POD_CIDR#g" \
    -f "$LAB_HOME/images.sed" "$1"
}

apply() { kubectl apply --server-side --force-conflicts --field-manager=lab -f "$@"; }
