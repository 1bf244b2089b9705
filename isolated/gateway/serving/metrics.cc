// SPDX-License-Identifier: Apache-2.0
#include "isolated/gateway/serving/metrics.h"

#include <functional>

#include "base/format.h"

namespace casemate::gateway {
namespace {

class Writer final {
 public:
  explicit Writer(std::span<Model* const> models) : models_(models) {}

  void head(std::string_view name, std::string_view type, std::string_view help) {
    text_ += formatted("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class Value>
  void each(std::string_view name, std::string_view type, std::string_view help, Value value) {
    head(name, type, help);
    for (const Model* model : models_) line(name, *model, "", value(*model));
  }
  void line(std::string_view name, const Model& model, std::string_view labels, uint64_t value) {
    text_ += formatted("{}{{model=\"{}\",version=\"{}\"{}}} {}\n", name, model.name(),
                       model.version(), labels, value);
  }
  void single(std::string_view name, std::string_view type, std::string_view help, uint64_t value) {
    head(name, type, help);
    text_ += formatted("{} {}\n", name, value);
  }
  void failures();
  void durations();
  std::string take() { return std::move(text_); }

 private:
  std::span<Model* const> models_;
  std::string text_;
};

void Writer::failures() {
  constexpr std::string_view name = "nv_inference_request_failure";
  head(name, "counter", "Requests without a result, by reason");
  for (const Model* model : models_) {
    const Statistics& s = model->statistics();
    line(name, *model, ",reason=\"REJECTED\"", s.rejected);
    line(name, *model, ",reason=\"CANCELED\"", s.cancelled);
    line(name, *model, ",reason=\"BACKEND\"", s.backend_failed);
    line(name, *model, ",reason=\"OTHER\"", s.other_failed);
  }
}

void Writer::durations() {
  struct Kind {
    std::string_view name;
    std::string_view help;
    Statistics::Timed Statistics::* timed;
  };
  constexpr Kind kinds[] = {
      {"nv_inference_request_duration_us", "Time from arrival to answer", &Statistics::success},
      {"nv_inference_queue_duration_us", "Time in the queue", &Statistics::queue},
      {"nv_inference_compute_input_duration_us", "Time of copying inputs",
       &Statistics::compute_input},
      {"nv_inference_compute_infer_duration_us", "Time in the model", &Statistics::compute_infer},
      {"nv_inference_compute_output_duration_us", "Time of writing answers",
       &Statistics::compute_output},
  };
  for (const Kind& kind : kinds) {
    each(kind.name, "counter", kind.help,
         [&](const Model& m) { return (m.statistics().*kind.timed).ns / 1000; });
  }
}

}  // namespace

std::string metrics_text(std::span<Model* const> models, const ServerCounters& server) {
  Writer w(models);
  w.each("nv_inference_request_success", "counter", "Requests with a result",
         [](const Model& m) { return m.statistics().success.count; });
  w.failures();
  w.each("nv_inference_count", "counter", "Inferences; a batch of n counts n",
         [](const Model& m) { return m.statistics().inference_count; });
  w.each("nv_inference_exec_count", "counter", "Executions of the model",
         [](const Model& m) { return m.statistics().execution_count; });
  w.each("nv_inference_pending_request_count", "gauge", "Requests waiting or running",
         [](const Model& m) { return m.queued() + m.in_flight(); });
  w.durations();
  w.each("casemate_model_ready", "gauge", "1 while the model has a partition that serves it",
         [](const Model& m) { return m.available() ? 1u : 0u; });
  w.each("casemate_model_queued", "gauge", "Requests waiting",
         [](const Model& m) { return m.queued(); });
  w.each("casemate_partition_failures_total", "counter", "Channels to the model that failed",
         [](const Model& m) { return m.statistics().restarts; });
  w.each("casemate_replays_total", "counter", "Requests sent again after a failure",
         [](const Model& m) { return m.statistics().replays; });
  w.single("casemate_connections", "gauge", "Open connections", server.connections);
  w.single("casemate_connections_accepted_total", "counter", "Connections accepted",
           server.accepted);
  w.single("casemate_connections_turned_away_total", "counter",
           "Connections closed for want of room", server.turned_away);
  w.single("casemate_connections_timed_out_total", "counter", "Connections that ran out of time",
           server.timed_out);
  w.single("casemate_handshakes_failed_total", "counter", "TLS handshakes that failed",
           server.handshakes_failed);
  w.single("casemate_requests_total", "counter", "HTTP requests", server.requests);
  w.single("casemate_requests_refused_total", "counter", "HTTP requests refused before serving",
           server.refused);
  w.single("casemate_buffered_bytes", "gauge", "Request and answer bytes held",
           server.buffered_bytes);
  return w.take();
}

}  // namespace casemate::gateway
