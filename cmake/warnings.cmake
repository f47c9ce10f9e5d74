# Every target of ours links portolan_warnings: warnings are errors, in g++ and clang.
add_library(portolan_warnings INTERFACE)
target_compile_options(portolan_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough -Werror)

if(PORTOLAN_SANITIZE)
  add_compile_options(-fsanitize=${PORTOLAN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PORTOLAN_SANITIZE})
  add_compile_definitions(PORTOLAN_SANITIZED)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented standard headers (std::regex) raise it falsely in g++ 12; the plain builds keep it.
    target_compile_options(portolan_warnings INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
