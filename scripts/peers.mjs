/** The peers that the interoperability suites and the benchmark run against, from Debian's packages. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, find, must } from "./process.mjs";

/** libreswan conflicts with strongSwan as a package, so it is unpacked here and never installed. */
export const libreswanRoot = "/var/cache/causeway/libreswan";

/** Debian package -> a file that shows that it is there. */
const PACKAGES = {
  "strongswan-charon": "/usr/lib/ipsec/charon",
  "charon-systemd": "/usr/sbin/charon-systemd",
  "strongswan-swanctl": "/usr/sbin/swanctl",
  "libcharon-extra-plugins": "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so",
  "libstrongswan-standard-plugins": "/usr/lib/ipsec/plugins/libstrongswan-gcm.so",
  "libstrongswan-extra-plugins": "/usr/lib/ipsec/plugins/libstrongswan-chapoly.so",
  "user-mode-linux": "/usr/bin/linux",
  kmod: "/usr/bin/kmod",
  procps: "/usr/sbin/sysctl",
  iproute2: "/usr/bin/ip",
  "iputils-ping": "/usr/bin/ping",
  iperf3: "/usr/bin/iperf3",
  tcpdump: "/usr/bin/tcpdump",
  nftables: "/usr/sbin/nft",
  conntrack: "/usr/sbin/conntrack",
  "ike-scan": "/usr/bin/ike-scan",
  bird2: "/usr/sbin/bird",
  // What user-mode Linux lacks on processors with AMX is compiled (test/interop/guest-xstate.c).
  ...(/^flags\b.* amx_tile\b/m.test(readFileSync("/proc/cpuinfo", "utf8")) && {
    gcc: "/usr/bin/cc",
    "libc6-dev": "/usr/include/elf.h",
  }),
  tshark: "/usr/bin/tshark",
};

/** Unpacked, and what of Debian's packages it is linked with: these conflict with nothing, and bring their own dependencies. */
const LIBRESWAN = ["libreswan", "libnss3-tools"];
const LIBRESWAN_NEEDS = [
  "libnss3-tools",
  "libcap-ng0",
  "libcurl3-nss",
  "libevent-core-2.1-7",
  "libevent-pthreads-2.1-7",
  "libldap-2.5-0",
  "libldns3",
  "libnss3",
  "libseccomp2",
  "libunbound8",
];

/** The Debian packages that are missing, by name. */
export function peersMissing() {
  const missing = Object.entries(PACKAGES)
    .filter(([, file]) => !existsSync(file))
    .map(([name]) => name);
  const { stdout } = ask("dpkg-query", ["--list", ...LIBRESWAN_NEEDS]);
  missing.push(...LIBRESWAN_NEEDS.filter((name) => !new RegExp(`^ii +${name}[: ]`, "m").test(stdout)));
  if (!existsSync(join(libreswanRoot, "usr/libexec/ipsec/pluto"))) missing.push("libreswan");
  return missing;
}

export function installPeers(missing) {
  const packages = missing.filter((name) => name !== "libreswan");
  console.log(`causeway setup: installing Debian packages for the interoperability suites: ${missing.join(" ")}`);
  update();
  // A peer that runs on the host itself would take the ports 500 and 4500: packages are installed without starting services.
  if (packages.length > 0) withoutServices(() => install(packages));
  for (const [name, service] of [
    ["charon-systemd", "strongswan.service"],
    ["bird2", "bird.service"],
  ])
    if (packages.includes(name) && existsSync("/run/systemd/system")) ask("systemctl", ["disable", "--now", service]);
  if (missing.includes("libreswan")) unpackLibreswan();
  mkdirSync("/lib/modules", { recursive: true }); // the guest lays its own modules over this folder
}

export function installPackages(packages) {
  console.log(`causeway setup: installing Debian packages: ${packages.join(" ")}`);
  update();
  install(packages);
}

const aptEnv = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };

function update() {
  must("apt-get", ["update", "-qq"], { env: aptEnv, seconds: 300 });
}

function install(packages) {
  const options = ["-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"];
  must("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...options, ...packages], {
    env: aptEnv,
    seconds: 900,
  });
}

/** Debian asks /usr/sbin/policy-rc.d before it starts a service; ours says no, and goes again. */
function withoutServices(work) {
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const remove = () => ours && rmSync(policy, { force: true });
  process.on("exit", remove);
  try {
    work();
  } finally {
    remove();
  }
}

function unpackLibreswan() {
  mkdirSync(libreswanRoot, { recursive: true });
  const folder = mkdtempSync("/var/cache/apt/causeway-");
  try {
    // apt drops its rights to the user _apt for downloads; root keeps them here, because the folder is root's.
    must("apt-get", ["download", "-qq", "-o", "APT::Sandbox::User=root", ...LIBRESWAN], {
      cwd: folder,
      env: aptEnv,
      seconds: 300,
    });
    for (const name of readdirSync(folder))
      must(find("dpkg-deb") ?? "dpkg-deb", ["-x", join(folder, name), libreswanRoot]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
