#pragma once

#include <string>

namespace portolan {

/// "AMD EPYC, 2 cores, OpenBLAS Cooperlake, AVX-512": what a calibration's figures belong to.
std::string machine_name(int num_cores);

}  // namespace portolan
