# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# A Git service beside the cluster, where a hospital has its own: repositories in LAB_HOME/git, who may use them in git.json.

git_up() {
  mkdir -p "$LAB_HOME/git"
  [ -s "$LAB_HOME/git.json" ] || (umask 077 && printf '{"username": "xraylab", "password": "%s"}\n' "$(openssl rand -hex 16)" >"$LAB_HOME/git.json")
  [ -d "$LAB_HOME/git/facilities.git" ] || git init -q --bare -b main "$LAB_HOME/git/facilities.git"
  start git /usr/bin/python3 "$LAB_DIR/git_server.py" "$NODE_IP:$GIT_PORT" "$LAB_HOME/git" "$LAB_HOME/git.json"
  wait_for 20 "the Git service answers" curl -fsS "http://$NODE_IP:$GIT_PORT/healthz"
}

git_down() { stop git; }
