// SPDX-License-Identifier: Apache-2.0
#pragma once
// Why the gateway does not do what stock clients could ask for, whichever protocol they speak.
//
//   Owns     nothing.
//   Threads  constants.
//   Trust    none needed.
//   Fails    cannot.

namespace casemate::gateway::absent {

inline constexpr const char* kLoading =
    "models are fixed when the gateway starts, since their measurements are part of the evidence; "
    "change the configuration and start it again";
inline constexpr const char* kSharedMemory =
    "shared memory is not offered, since a client's memory lies outside the wall; send tensors in "
    "the request";
inline constexpr const char* kTraces =
    "traces are not offered, since they would carry requests out of the wall; GET /v2/models/stats "
    "and GET /metrics have times and counts";
inline constexpr const char* kLogging =
    "log settings are not offered: nothing that a client sends is logged";
inline constexpr const char* kStreams =
    "ModelStreamInfer is not offered: each request has one answer; use ModelInfer";
inline constexpr const char* kWatching =
    "watching is not offered: ask grpc.health.v1.Health/Check again";
inline constexpr const char* kMethod =
    "there is no such method; the services are inference.GRPCInferenceService and "
    "grpc.health.v1.Health";

}  // namespace casemate::gateway::absent
