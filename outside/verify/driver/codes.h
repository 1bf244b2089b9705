// SPDX-License-Identifier: Apache-2.0
#pragma once
// The checks of a driver's endorsement: what each looks at, and what to do when it fails.
//
//   Owns     constants.
//   Threads  constants.
//   Trust    our own words.
//   Fails    cannot.

#include "outside/verdict/checks.h"

namespace casemate::verify::driver::code {

inline constexpr CheckKind kForm{"driver.form", "it is an endorsement as casemate endorse makes it",
                                 "have it made anew with casemate endorse, by the same release"};
inline constexpr CheckKind kSignature{
    "driver.signature", "it is signed by the key that it carries",
    "do not use this device: the endorsement was changed after it was signed"};
inline constexpr CheckKind kKey{
    "driver.key", "its key is one of the policy's",
    "add the key to \"keys\" in the policy's \"drivers\" if you know whose it is; otherwise do not "
    "use this device"};
inline constexpr CheckKind kValidity{
    "driver.validity", "it is valid at this time",
    "compare the clocks; if they are right, have its author endorse the driver anew"};
inline constexpr CheckKind kDevice{
    "driver.device", "it is for devices of this kind",
    "do not use this device: somebody shows an endorsement of another driver"};
inline constexpr CheckKind kProgram{
    "driver.program", "it names the program that drives the device",
    "if the driver was updated on purpose, have its author endorse the new one; otherwise do not "
    "use this device"};

}  // namespace casemate::verify::driver::code
