# SPDX-License-Identifier: GPL-3.0-or-later
# Knative Serving and Eventing: one image a component, as the Knative Operator's manifests of these versions want them.
# inputs: go/knative go/env.sh
# needs: go
# lane: go
# images: serving-activator serving-autoscaler serving-autoscaler-hpa serving-controller serving-webhook serving-queue serving-cleanup
# images: knative-migrate eventing-controller eventing-webhook eventing-mtping eventing-jobsink eventing-mtchannel_broker
# images: eventing-ingress eventing-filter eventing-channel_controller eventing-channel_dispatcher
. ./env.sh
. "$PWD/go/env.sh"
out=$1
cd go/knative
# Not one multi-call binary: knative.dev/pkg registers each linked informer at init() and starts them all.
build() { go build -trimpath -ldflags '-s -w' -o "$out/build/$1/" "${@:2}"; }
build serving knative.dev/serving/{cmd/{activator,autoscaler,autoscaler-hpa,controller,webhook,queue},pkg/cleanup/cmd/cleanup}
build knative knative.dev/pkg/apiextensions/storageversion/cmd/migrate
build eventing knative.dev/eventing/cmd/{controller,webhook,mtping,jobsink,mtchannel_broker,broker/ingress,broker/filter} \
  knative.dev/eventing/cmd/in_memory/{channel_controller,channel_dispatcher}
for binary in "$out"/build/*/*; do
  group=${binary%/*}
  context=$out/${group##*/}-${binary##*/}
  mkdir "$context"
  go_context "$context" "$binary"
done
rm -r "$out/build"
