// SPDX-License-Identifier: Apache-2.0
#pragma once
// The architectures, one file for each family. zoo.h has them as a table.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    none needed.
//   Fails    cannot.

#include "outside/zoo/graph.h"

namespace casemate::zoo {

struct TransformerSizes;

Graph lenet_5();
Graph alexnet();
Graph vgg_16();
Graph vgg_19();
Graph googlenet();
Graph inception_v3();
Graph resnet_18();
Graph resnet_50();
Graph resnet_152();
Graph squeezenet();
Graph densenet_121();
Graph densenet_201();
Graph mobilenet_v1();
Graph mobilenet_v2();
Graph yolov3_tiny();
Graph bert_base();
Graph gpt_2_small();

// The same architectures in other sizes, smaller ones for tests. Requires: heads divide the width.
Graph bert(const std::string& called, const TransformerSizes& sizes);
Graph gpt_2(const std::string& called, const TransformerSizes& sizes);

}  // namespace casemate::zoo
