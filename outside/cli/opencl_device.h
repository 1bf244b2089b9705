// SPDX-License-Identifier: Apache-2.0
#pragma once
// OpenclDevice: an OpenCL device that casemate-inspect measures on. OpenCL's driver needs files and
// processes, so it runs in a program of its own, behind other walls (isolated/inspect/opencl), and
// the two have the ends of a stream.
//
//   Owns     the program, which ends with this, a scratch folder, and the stream, which is revoked
//            when the program ends.
//   Threads  one; it has one of its own that hears the program.
//   Trust    what the program says may be a driver's or a model's author's words: it is made
//            printable.
//   Fails    kNotFound when the program is not built; kPlatform. That there is no such device comes
//            later: see failure().

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "outside/child/child.h"
#include "wire/srpc/stream_pair.h"

namespace casemate::cli {

// A folder below the machine's one for such, which goes with this.
class ScratchFolder final {
 public:
  static Result<ScratchFolder> make();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// How many this machine has, by the drivers that OpenCL's loader finds.
Result<uint32_t> opencl_device_count(const std::string& programs);

class OpenclDevice final {
 public:
  struct Wanted {
    uint32_t number = 0;
    uint32_t threads = 1;
    uint64_t memory_bytes = 1ull << 30;
    Duration patience = std::chrono::seconds(300);
  };
  // `programs`: the folder of ours.
  static Result<std::unique_ptr<OpenclDevice>> start(const std::string& programs,
                                                     const Wanted& wanted);
  ~OpenclDevice();
  OpenclDevice(const OpenclDevice&) = delete;

  // What the other end's program gets: descriptors, and a word that says where they are.
  [[nodiscard]] std::vector<int> descriptors() const;
  [[nodiscard]] std::string word(size_t first_descriptor) const;
  // Why the program has ended, where it did by itself and not because nobody wanted it any more.
  std::optional<Error> failure();

 private:
  OpenclDevice(const Wanted& wanted, ScratchFolder folder, srpc::StreamPair pair,
               child::Running running)
      : wanted_(wanted),
        folder_(std::move(folder)),
        pair_(std::move(pair)),
        running_(std::move(running)) {}
  [[nodiscard]] std::string name() const;
  void hear();

  Wanted wanted_;
  ScratchFolder folder_;
  srpc::StreamPair pair_;
  srpc::StreamEnd end_;  // the inspector's
  child::Running running_;
  std::mutex lock_;
  std::optional<Error> failure_;
  std::jthread thread_;
};

}  // namespace casemate::cli
