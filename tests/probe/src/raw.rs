//! System calls by number. The one place with `unsafe`.
#![expect(unsafe_code, reason = "calls for which there is no wrapper, because nobody should make them")]

use std::io;

/// Calls the kernel with numbers only: no argument is an address that the kernel could read or write, except null.
pub fn call(number: libc::c_long, arguments: [i64; 5]) -> io::Result<i64> {
    let [first, second, third, fourth, fifth] = arguments;
    // SAFETY: callers pass flags, descriptors and null, never addresses; what the calls change is this process.
    match unsafe { libc::syscall(number, first, second, third, fourth, fifth) } {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// Makes a process in new namespaces; the new one ends at once.
pub fn clone_into(namespaces: i32) -> io::Result<()> {
    let flags = i64::from(namespaces | libc::SIGCHLD);
    match call(libc::SYS_clone, [flags, 0, 0, 0, 0])? {
        // SAFETY: the child of a clone without shared memory; nothing of the parent runs in it.
        0 => unsafe { libc::_exit(0) },
        _ => Ok(()),
    }
}

/// Asks for every capability.
pub fn take_all_capabilities() -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let sets = [u32::MAX; 6];
    // SAFETY: the kernel reads a header of two words and two times three words of sets, and writes nothing for itself.
    match unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `getpid` through the door of 32-bit programs, behind which `socketcall` lies.
#[cfg(target_arch = "x86_64")]
pub fn int80_getpid() -> i64 {
    const GETPID_32: i64 = 20;
    let mut register = GETPID_32;
    // SAFETY: getpid has no arguments and touches no memory.
    unsafe {
        std::arch::asm!("int 0x80", inout("rax") register, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    register
}

#[cfg(not(target_arch = "x86_64"))]
pub fn int80_getpid() -> i64 {
    -1
}

/// `getpid` as an x32 program makes it; -1 when the kernel has none.
pub fn x32_getpid() -> i64 {
    const X32: libc::c_long = 0x4000_0000;
    call(X32 | libc::SYS_getpid, [0; 5]).unwrap_or(-1)
}
