# SPDX-License-Identifier: GPL-3.0-or-later
# The image context of the KafkaSource/KafkaSink stand-in: installer, controller, dispatcher and sink ingress.
# inputs: wheels.sh operators/eventing_kafka operators/strimzi
# needs: python
# image: eventing-kafka-operator
out=$1
. ./wheels.sh
wheels "$out/site" -r "operators/eventing_kafka/requirements.txt"
install -D -m 0644 -t "$out/eventing_kafka" operators/eventing_kafka/{*.py,parts.yaml}
install -D -m 0644 -t "$out/strimzi" operators/strimzi/{__init__,kube,work,conditions,store,topology,watching,metrics}.py
install -m 0644 "operators/eventing_kafka/Containerfile" "$out/"
