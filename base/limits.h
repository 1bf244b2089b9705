// SPDX-License-Identifier: Apache-2.0
#pragma once
// Limits: every bound of the system in one place, each with its arithmetic.

#include <cstddef>
#include <cstdint>

namespace casemate::limits {

// A partition id has 8 bits and 0 is the monitor. 64 keeps the monitor's tables below 1 MiB and the
// cgroup tree readable; a machine has fewer accelerators than that.
inline constexpr uint32_t kPartitions = 64;
// Each partition holds a few models; the system description stays below 1 MiB with this many.
inline constexpr uint32_t kEnclaves = 128;
// One stream from the gateway to every model enclave, and as many again between enclaves.
inline constexpr uint32_t kStreams = 256;
// Programs and libraries of all kinds of enclave together: a gateway needs about 10, an engine
// about 15, an OpenCL device with its compiler about 65, and a user's program what it needs.
inline constexpr uint32_t kImages = 384;
// Accelerators of one kind in a machine.
inline constexpr uint32_t kDevices = 16;
// Model files of all enclaves: model.onnx and what external data it names.
inline constexpr uint32_t kFiles = 512;
// Linux's PATH_MAX is 4096; 256 holds every path that a repository layout needs.
inline constexpr size_t kPath = 256;
inline constexpr size_t kName = 64;

// What a partition may be allowed: beyond these the kernel refuses or a clock overflows.
// An hour: 20 doublings of it are 3.8e18 ns, below the 9.2e18 that a Duration holds.
inline constexpr uint32_t kRestartMs = 3'600'000;
// Below this the hang detector, which looks four times a second, takes a busy core for a hang.
inline constexpr uint32_t kHangMsMin = 100;
inline constexpr uint32_t kFailures = 1'000'000;
// All cores of a cpu_mask, fully.
inline constexpr uint32_t kCores = 64;
inline constexpr uint32_t kCpuPercent = kCores * 100;
// Threads of one enclave: four per core.
inline constexpr uint32_t kThreads = 4 * kCores;
// 64 models of 256 threads take 33,280 processes, twice that with a standby; Linux knows 4,194,304.
inline constexpr uint32_t kProcesses = 131'072;

// A tensor has at most 8 dimensions: ONNX operators in use have at most 6, NumPy allows 64.
inline constexpr uint32_t kRank = 8;
// Inputs or outputs of one model.
inline constexpr uint32_t kModelPorts = 32;
// One tensor or one request body: 256 MiB holds a batch of 400 ResNet inputs (602,112 B each).
inline constexpr uint64_t kTensorBytes = 256ull << 20;

// Requests in flight on one stream: at 10 us per small inference, 64 hide a 500 us scheduling gap.
inline constexpr uint32_t kStreamSlots = 64;
// Queued requests of one model in the gateway before it answers 503: with kStreamSlots in flight,
// this is two round-trips' worth of work, so a client that is told to wait would have waited
// anyway.
inline constexpr uint32_t kModelQueue = 128;

// A certificate with evidence: token 1 KiB, quote 1 KiB, X.509 1 KiB, CBOR; OpenSSL's own bound is
// 100 KiB.
inline constexpr size_t kEvidenceBytes = 16 << 10;

}  // namespace casemate::limits
