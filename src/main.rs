//! The program: arguments in, exit code out.

use std::process::ExitCode;

/// See docs/decisions/0012.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    guildhall::cli::main()
}
