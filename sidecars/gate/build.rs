//! Files that are added to the page have to be compiled in as well.

fn main() {
    println!("cargo::rerun-if-changed=page");
}
