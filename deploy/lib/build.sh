# Builds the static binaries. Sourced; needs say.sh; runs in the repository's root.

# Static glibc: crt-static without an explicit target would break procedural macros.
host_target() { rustc -vV | sed -n 's/^host: //p'; }

# Where the binaries of the last build lie.
binaries_folder() { echo "${CARGO_TARGET_DIR:-$PWD/target}/$(host_target)/dist"; }

build_binaries() {
  command -v cargo >/dev/null || fail "no Rust toolchain found; install one from https://rustup.rs and run this again"
  if ! command -v cc >/dev/null; then
    debian_like && packages build-essential || fail "no C compiler found (SQLite is built from source); install gcc and run this again"
  fi
  local target; target=$(host_target)
  cargo build --locked --profile dist --target "$target" --config "target.$target.rustflags=['-Ctarget-feature=+crt-static']" \
    -p supervisor -p agent -p gate -p spark -p backup
}
