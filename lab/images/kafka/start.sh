#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# start.sh SERVER_PROPERTIES CLUSTER_ID: formats the log folder on its first start, then becomes the broker.
# Environment: KAFKA_HEAP_OPTS (JVM options), KAFKA_HOME (where libs/ and log4j2.properties are). Needs no tool but sh and java.
set -eu
config=$1 cluster_id=$2 home=${KAFKA_HOME:-/opt/kafka} data=''
while IFS='=' read -r name value; do
  [ "$name" != log.dirs ] || data=${value%%,*}
done <"$config"
[ -n "$data" ] || { echo "start.sh: $config names no log.dirs" >&2; exit 1; }
# shellcheck disable=SC2086  # a list of options
set -- ${KAFKA_HEAP_OPTS:--Xms128m -Xmx320m} -XX:+UseSerialGC -XX:-UsePerfData -XX:+ExitOnOutOfMemoryError \
  -Dlog4j2.configurationFile="$home/log4j2.properties" -cp "$home/libs/*"
[ -s "$data/meta.properties" ] || java "$@" kafka.tools.StorageTool format -t "$cluster_id" -c "$config"
exec java "$@" kafka.Kafka "$config"
