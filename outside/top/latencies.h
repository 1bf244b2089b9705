// SPDX-License-Identifier: Apache-2.0
#pragma once
// Latencies: what a gateway's metrics say of how long requests took. The monitor does not know: it
// schedules nothing and sees no request.
//
//   Owns     values.
//   Threads  pure function.
//   Trust    the text is a server's that was verified; lines that are not understood are left out.
//   Fails    cannot: an unreadable text has no models in it.

#include <string_view>

#include "outside/top/picture.h"

namespace casemate::top {

// Of Prometheus's text format: nv_inference_request_success and nv_inference_request_duration_us.
ServedModels served_models(std::string_view metrics);

}  // namespace casemate::top
