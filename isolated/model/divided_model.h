// SPDX-License-Identifier: Apache-2.0
#pragma once
// DividedModel: the same model once more, cut into pieces that run on devices of other partitions,
// and on the processor where no device is to. The template makes the cut and compiles what the
// processor runs; an instance sends the other pieces to their devices as these connect.
//
//   template: graph ─▶ pieces of the processor compiled    instance: streams ─▶ pieces sent ─▶ run
//
// It is beside the whole model, not instead: as long as a device is away, or when it fails in the
// middle, the processor runs the whole, and nobody is told to come again.
//
//   Owns     graph, cut and programs; in an instance the devices behind their streams.
//   Threads  one runs requests; devices connect on another, which is there while one does. The
//            template starts none.
//   Trust    devices are hostile: see driver/remote. What they answer wrongly is passed on.
//   Fails    make() where the options are of another graph; run() never: it says that it did not.

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/mapping.h"
#include "isolated/driver/cut/cut_runner.h"
#include "isolated/engine/engine.h"
#include "isolated/engine/onnx/file_tensors.h"
#include "isolated/model/model_options.h"
#include "wire/srpc/srpc.h"

namespace casemate::model {

class DividedModel final {
 public:
  // Requires: the mapping stays.
  static Result<std::unique_ptr<DividedModel>> make(const Mapping& file,
                                                    const ModelOptions& options,
                                                    const engine::LoadOptions& load);
  ~DividedModel();

  // The stream to the device's enclave, "MODEL@npu:0", from here on; or its end.
  void connect(std::string_view enclave, srpc::StreamEnd end);
  void disconnect(std::string_view enclave);
  // Runs on the devices where they are there and the inputs are of shapes that it is cut for, or,
  // with `items`, a multiple of its batch. False: somebody else has to. Counts progress meanwhile.
  bool run(std::span<const TensorView> inputs, bool items, engine::OutputSink& sink,
           engine::ProgressCounter& progress);

 private:
  struct Ready;    // the devices, and the pieces on them
  class Compiled;  // a device whose programs were made before

  DividedModel() = default;
  Status cut(const ModelOptions& options, const engine::LoadOptions& load);
  void start_connecting();
  void build();
  std::unique_ptr<Ready> prepared(std::map<size_t, srpc::StreamEnd> fresh,
                                  std::unique_ptr<Ready> before);
  Status send_pieces(Ready& ready);
  std::optional<int64_t> batches(std::span<const TensorView> inputs, bool items) const;
  Status run_all(std::span<const TensorView> inputs, int64_t count, engine::OutputSink& sink);

  std::unique_ptr<engine::FileTensors> tensors_;
  std::optional<engine::Graph> graph_;
  driver::Cut cut_;
  std::unique_ptr<driver::Device> cpu_;
  std::vector<driver::Program> programs_;  // of the processor's pieces, in order

  std::mutex lock_;
  std::map<size_t, srpc::StreamEnd> fresh_;  // by device, which nobody has connected to yet
  std::unique_ptr<Ready> ready_;
  std::unique_ptr<Ready> broken_;  // to be taken apart
  bool building_ = false;
  std::atomic<int> failures_ = 0;  // since a run on the devices ended well
  std::atomic<engine::ProgressCounter*> waited_for_ = nullptr;
  std::thread builder_;
};

}  // namespace casemate::model
