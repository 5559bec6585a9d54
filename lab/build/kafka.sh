# SPDX-License-Identifier: GPL-3.0-or-later
# The broker's image context: Java runtime, jars, logging configuration, start script.
# inputs: images/kafka
# needs: kafka-jars python
# image: kafka
out=$1
: "${NEED_KAFKA_JARS:?the folder of the product kafka-jars}"
mkdir -p "$out"
cp -r "$NEED_KAFKA_JARS/libs" "$NEED_KAFKA_JARS/jre" "$out/"
install -m 0644 images/kafka/{Containerfile,start.sh,log4j2.properties} "$out/"
