# SPDX-License-Identifier: GPL-3.0-or-later
# Strimzi's own CRDs as Strimzi's own generator writes them: OUT/{Kafka,KafkaNodePool,KafkaTopic,KafkaUser}.yaml (kafka.strimzi.io/v1).
# needs: kafka-jars
out=$1 version=1.2.0 model=io.strimzi.api.kafka.model
: "${NEED_KAFKA_JARS:?the folder of the product kafka-jars, which holds a Java 21 or newer}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>xraylab.lab</groupId><artifactId>strimzi-crds</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.strimzi</groupId><artifactId>api</artifactId><version>$version</version></dependency>
    <dependency><groupId>io.strimzi</groupId><artifactId>crd-generator</artifactId><version>$version</version></dependency>
  </dependencies>
</project>
POM
mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/lib"

mkdir -p "$out"
# The generator wants a path with a folder in it.
"$NEED_KAFKA_JARS/jre/bin/java" -cp "$work/lib/*" io.strimzi.crdgenerator.CrdGenerator --yaml \
  $model.kafka.Kafka="$out/Kafka.yaml" $model.nodepool.KafkaNodePool="$out/KafkaNodePool.yaml" \
  $model.topic.KafkaTopic="$out/KafkaTopic.yaml" $model.user.KafkaUser="$out/KafkaUser.yaml"
for kind in Kafka KafkaNodePool KafkaTopic KafkaUser; do
  grep -q '^kind: "\?CustomResourceDefinition' "$out/$kind.yaml" ||
    { echo "strimzi-crds: $out/$kind.yaml is no CustomResourceDefinition" >&2; exit 1; }
done
