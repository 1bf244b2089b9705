// SPDX-License-Identifier: Apache-2.0
// Breadth-first search: one launch per step for the frontier and one for what it has reached, and a
// flag that comes back after each.
#include <deque>

#include "tests/opencl/rodinia/measured.h"

static const char* kSource = R"(
  __kernel void visit(__global const int* first, __global const int* edges, __global char* frontier,
                      __global char* reached, __global const char* seen, __global int* cost,
                      int n) {
    const int node = (int)get_global_id(0);
    if (node >= n || !frontier[node]) return;
    frontier[node] = 0;
    for (int e = first[node]; e < first[node + 1]; ++e) {
      const int to = edges[e];
      if (seen[to]) continue;
      cost[to] = cost[node] + 1;
      reached[to] = 1;
    }
  }
  __kernel void advance(__global char* frontier, __global char* reached, __global char* seen,
                        __global int* more, int n) {
    const int node = (int)get_global_id(0);
    if (node >= n || !reached[node]) return;
    frontier[node] = 1;
    seen[node] = 1;
    reached[node] = 0;
    *more = 1;
  })";

static std::vector<int> searched(const std::vector<int>& first, const std::vector<int>& edges) {
  std::vector<int> cost(first.size() - 1, -1);
  std::deque<int> next{0};
  cost[0] = 0;
  for (; !next.empty(); next.pop_front()) {
    const auto node = static_cast<size_t>(next.front());
    for (int e = first[node]; e < first[node + 1]; ++e) {
      int& to = cost[static_cast<size_t>(edges[static_cast<size_t>(e)])];
      if (to >= 0) continue;
      to = cost[node] + 1;
      next.push_back(edges[static_cast<size_t>(e)]);
    }
  }
  return cost;
}

int main(int count, char** words) {
  const size_t n = size_from(count, words, 65536);
  Numbers numbers(1);
  std::vector<int> first{0}, edges;
  for (size_t i = 0; i < n; ++i) {
    for (uint32_t e = numbers.next() % 8; e > 0; --e)
      edges.push_back(static_cast<int>(numbers.next() % n));
    first.push_back(static_cast<int>(edges.size()));
  }
  const Host host;
  cl_program program = host.program(kSource);
  cl_kernel visit = Host::kernel(program, "visit"), advance = Host::kernel(program, "advance");
  cl_mem d_first = host.buffer(first), d_edges = host.buffer(edges), frontier = host.buffer(n),
         reached = host.buffer(n), seen = host.buffer(n), cost = host.buffer(n * 4),
         more = host.buffer(4);
  const int nodes = static_cast<int>(n);
  arguments(visit, d_first, d_edges, frontier, reached, seen, cost, nodes);
  arguments(advance, frontier, reached, seen, more, nodes);
  const size_t global = (n + 255) / 256 * 256;
  std::vector<int> result;
  measured("bfs", count, words, [&] {
    std::vector<char> none(n), source(n);
    std::vector<int> costs(n, -1);
    source[0] = 1;
    costs[0] = 0;
    const auto write = [&](cl_mem to, const void* data, size_t size) {
      OK(clEnqueueWriteBuffer(host.queue, to, CL_TRUE, 0, size, data, 0, nullptr, nullptr));
    };
    write(frontier, source.data(), n);
    write(seen, source.data(), n);
    write(reached, none.data(), n);
    write(cost, costs.data(), n * 4);
    for (int again = 1; again != 0;) {
      again = 0;
      write(more, &again, 4);
      host.run(visit, {global}, {256});
      host.run(advance, {global}, {256});
      OK(clEnqueueReadBuffer(host.queue, more, CL_TRUE, 0, 4, &again, 0, nullptr, nullptr));
    }
    result = host.read<int>(cost, n);
  });
  print("bfs", result);
  compare("costs", result == searched(first, edges));
}
