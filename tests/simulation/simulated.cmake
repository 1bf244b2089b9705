# SPDX-License-Identifier: Apache-2.0
# The product's own code, compiled with a call before each access to memory (as for ThreadSanitizer, of whose runtime
# nothing is linked) and linked with a simulated kernel. Sanitizers would do both as well, and so it is not built there.
if(CASEMATE_SANITIZE)
  return()
endif()
find_package(OpenSSL REQUIRED)

# Without base/clock.cc and base/log.cc, the monitor's launcher, measurements and signatures: those are the machine's.
set(product
  base/bytes.cc base/check.cc base/crypto.cc base/format.cc base/mapping_unsafe.cc base/memory_file.cc base/result.cc base/secret_heap_unsafe.cc
  isolated/infer/infer.cc isolated/srpc/meeting.cc isolated/srpc/spinning.cc isolated/srpc/srpc.cc
  wire/abi/model.cc wire/abi/share.cc wire/abi/system.cc wire/abi/tensor.cc wire/control/control.cc
  wire/control/socket_unsafe.cc wire/evidence/evidence.cc wire/ring/ring_unsafe.cc wire/srpc/stream_pair.cc
  trusted/attest/quoting.cc trusted/monitor/hangs.cc trusted/monitor/keys.cc trusted/monitor/lifecycle.cc trusted/monitor/messages.cc trusted/monitor/monitor.cc
  trusted/monitor/operators.cc trusted/monitor/partitions.cc trusted/monitor/restarts.cc
  trusted/monitor/stream_table.cc trusted/monitor/streams.cc trusted/monitor/tree.cc trusted/monitor/trees.cc
  isolated/mos/mos.cc isolated/mos/mos_unsafe.cc
  isolated/gateway/http/body.cc isolated/gateway/http/loop.cc isolated/gateway/program/monitor_link.cc
  isolated/gateway/program/stream_channel.cc isolated/gateway/serving/drafts.cc
  isolated/gateway/serving/model.cc isolated/gateway/serving/model_table.cc)
list(TRANSFORM product PREPEND ${PROJECT_SOURCE_DIR}/)
add_library(simulated OBJECT ${product} guards_unsafe.cc liar_unsafe.cc launcher.cc stream_actors.cc system_actors.cc)
target_compile_options(simulated PRIVATE -fsanitize=thread -fno-builtin-memcpy -fno-builtin-memmove)

set(calls mmap munmap memcpy memmove syscall poll epoll_wait nanosleep close socketpair fcntl eventfd epoll_create1
  memfd_create open accept4 socket recvmsg sendmsg send write ftruncate waitpid sched_getcpu sched_getaffinity
  sched_setaffinity)
list(TRANSFORM calls PREPEND -Wl,--wrap=)
add_executable(casemate-simulation calls_unsafe.cc fibers_unsafe.cc machine.cc main.cc memory_unsafe.cc
  observing.cc stream_world.cc system_world.cc)
set_source_files_properties(launcher.cc observing.cc PROPERTIES COMPILE_OPTIONS -fno-access-control)
target_link_libraries(casemate-simulation PRIVATE simulated isolated_gateway_protocol OpenSSL::Crypto)
target_link_options(casemate-simulation PRIVATE ${calls})
set_target_properties(casemate-simulation PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
foreach(target simulated casemate-simulation)
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/include/tests)
  # Checked variants of the kernel's calls would pass the simulated ones by.
  target_compile_options(${target} PRIVATE -U_FORTIFY_SOURCE)
endforeach()

# Ten thousand seeds, in parts so that they run on as many cores as there are.
function(search world first count)
  add_test(NAME simulation.${world}_from_${first} COMMAND casemate-simulation ${world} --first ${first} --seeds ${count})
  set_tests_properties(simulation.${world}_from_${first} PROPERTIES TIMEOUT 600)
endfunction()
foreach(first 1 2501 5001)
  search(stream ${first} 2500)
endforeach()
foreach(first 1 1251)
  search(system ${first} 1250)
endforeach()
foreach(world stream system)
  add_test(NAME simulation.${world}_repeats_itself COMMAND casemate-simulation ${world} --repeat 50)
  set_tests_properties(simulation.${world}_repeats_itself PROPERTIES TIMEOUT 120)
endforeach()
