/**
 * One running gateway, put together in its order; whatever was started until something fails is in `undo`.
 *
 *     data plane (device, sockets) -> routes -> protocol -> control socket -> the tunnels start
 */
import { selectBackends } from "../crypto/backends.js";
import { hex } from "../crypto/bytes.js";
import { systemRandom } from "../crypto/random.js";
import { formatAddress, formatSocketAddress, unspecified } from "../esp/address.js";
import type { TrafficSelector } from "../esp/selector.js";
import { USUAL_WRAPPING } from "../esp/tunnel.js";
import { type Policy, type TunnelPolicy, waitsForTraffic } from "../ike/core/policy.js";
import type { TunnelView } from "../ike/core/view.js";
import { type Capture, createCapture } from "./capture/session.js";
import type { Configuration } from "./config/model.js";
import { profileReport } from "./config/profile-report.js";
import { type Action, act } from "./control/actions.js";
import type { ControlApi } from "./control/api.js";
import { captureReply } from "./control/capture.js";
import { keepFailures, ownCapabilities } from "./control/diagnosis.js";
import { createEventStreams } from "./control/event-stream.js";
import { startHttpServer } from "./control/http-server.js";
import { startControlServer } from "./control/server.js";
import { claimSocketPath } from "./control/socket-path.js";
import { type CountersMessage, statusReport } from "./control/status.js";
import { crashSecret } from "./crash-secret.js";
import type { DataplaneSettings, ToWorker } from "./dataplane/protocol.js";
import { missingTun } from "./dataplane/tun.js";
import { type DataplaneLife, type Ready, startDataplaneLife } from "./dataplane-life.js";
import { setupOf } from "./doctor/setup.js";
import { createDriver, type Driver } from "./driver.js";
import { explanation, history, withCause } from "./explain/explanation.js";
import { createRecorder, type Recorder } from "./explain/recorder.js";
import { watchAddresses } from "./host/address-watch.js";
import { planForThisHost, replaceRoutes, setUpHost } from "./host/host.js";
import { createLiveRoutes, type LiveRoutes } from "./host/live-routes.js";
import type { HostPlan } from "./host/plan.js";
import { createResolver } from "./host/resolve.js";
import { hasIpv6, hostAddresses } from "./host/state.js";
import { createKeyExchangeService } from "./key-exchange/service.js";
import { type Log, stackOf } from "./log.js";
import { createReloader, type Reloader } from "./reload/reloader.js";
import type { Start } from "./reload/start.js";
import { createReports, type Reports } from "./reports.js";
import { createRouteDevices, type RouteDevices, watchRouteDevices } from "./route-devices.js";
import { systemClock } from "./scheduler.js";
import { packageVersion } from "./version.js";

export interface Gateway {
  readonly driver: Driver;
  readonly dataplane: DataplaneLife;
  readonly reloader: Reloader;
}

/** What must be taken back at the end, in the opposite order. */
export interface Undo {
  readonly what: string;
  readonly how: () => Promise<unknown>;
}

/** Throws `HostError` when the host lacks something; the message says what, and how to grant it. */
export async function startGateway(start: Start, log: Log, undo: Undo[]): Promise<Gateway> {
  /** The configuration that runs. */
  let current = start.configuration;
  const { gateway } = current;
  const startedAt = systemClock.now();
  // First, so that a second daemon on this file is told what is wrong.
  await claimSocketPath(gateway.controlSocket);

  checkBackends(log);
  let plan = await planForThisHost(current);
  const devices = createRouteDevices();
  undo.push({ what: "the devices of tunnels", how: async () => devices.keepOnly(new Set()) });
  devices.open(plan.devices);
  const tunnels = (policies: readonly TunnelPolicy[]) => tunnelsMessage(policies, current, devices);
  const setUpAgain = () =>
    setUpHost(plan).catch((error: unknown) =>
      log.error("the routes could not be set up again", { error: stackOf(error) }),
    );
  const watch = watchRouteDevices(devices, () => plan.devices, {
    clock: systemClock,
    log,
    restored() {
      routes.reset();
      life.post(tunnels(current.policy.tunnels));
      void setUpAgain();
    },
  });
  const routes = liveRoutes(plan, () => current, log);
  let driver: Driver | undefined;
  let capture: Capture | undefined;
  const { life, ready } = await startDataplaneLife(
    await dataplaneSettings(current, plan),
    {
      received(message) {
        if (message.kind === "innerMtu") {
          log.debug(`a child carries inner packets of up to ${message.mtu} octets`, { child: message.child });
          routes.measured(message.child, message.mtu);
        } else if (message.kind === "deviceLost") watch.look();
        else {
          capture?.received(message);
          driver?.received(message);
        }
      },
      replaced() {
        routes.reset();
        life.post(tunnels(current.policy.tunnels));
        capture?.replaced();
        driver?.dataplaneReplaced();
        log.info("a new data plane is ready");
        // The gateway's device is another one: its routes went with the old one, only the unreachable ones are left.
        void setUpAgain();
      },
    },
    { clock: systemClock, log },
  );
  undo.push({ what: "the data plane", how: () => life.stop() });
  undo.push({ what: "the watch over devices", how: async () => watch.stop() });
  log.info(`the data plane is ready on ${ready.tunName}`, { backend: ready.backend, rawEsp: ready.rawEsp });
  life.post(tunnels(current.policy.tunnels));

  const host = await setUpHost(plan);
  undo.push({ what: "the routes", how: () => host.tearDown() });
  for (const note of host.notes) log.warn(note);

  const { stateDir } = gateway;
  const remembered = stateDir === undefined ? {} : { crashSecret: await crashSecret(stateDir, systemRandom) };
  const policyOf = ({ policy }: Configuration): Policy => ({ ...usablePolicy(policy, ready), ...remembered });
  if (!ready.rawEsp)
    log.warn(
      "no raw socket for ESP (IP protocol 50): every tunnel uses UDP encapsulation. The capability CAP_NET_RAW permits it",
    );
  const keyExchange = createKeyExchangeService();
  undo.push({ what: "the key exchange", how: () => keyExchange.close() });
  const reports = createReports(log, systemClock);
  const recorder = createRecorder(current.policy.tunnels.map(({ name }) => name));
  reports.onReport(recorder.take);
  const running = createDriver(policyOf(current), {
    clock: systemClock,
    random: systemRandom,
    post(message) {
      routes.posted(message);
      capture?.posted(message);
      life.post(message);
    },
    keyExchange,
    resolve: createResolver(plan.mark, gateway.address),
    psk: current.psk,
    setTunnels: (policies) => life.post(tunnels(policies)),
    report: reports.take,
    bug: (error, doing) => log.error(`a bug in causeway: ${doing} was dropped`, { error: stackOf(error) }),
  });
  driver = running;
  const captured = createCapture({
    driver: running,
    post: life.post,
    clock: systemClock,
    natTPort: gateway.ports.natT,
    peersOf: (name) => peerAddresses(current.policy, name),
  });
  capture = captured;
  undo.push({ what: "the protocol", how: async () => running.stop() });
  // With sockets bound to one address there is nowhere to move to.
  if (gateway.address === undefined) {
    const addresses = watchAddresses({
      clock: systemClock,
      log,
      isOurs: (line) => isOurs(plan, line),
      changed: () => tellAddresses(running, plan, log),
    });
    undo.push({ what: "the watch over addresses", how: async () => addresses.stop() });
  }

  const reloader = createReloader({
    gateway: {
      configuration: () => current,
      async apply(next, newKeys) {
        const planned = await planForThisHost(next);
        await routes.replan(planned, async (from, to) => {
          const close = devices.open(planned.devices);
          const change = await host.change(from, to).catch((error: unknown) => {
            close();
            throw error;
          });
          const before = current;
          current = next;
          recorder.keepOnly(next.policy.tunnels.map(({ name }) => name));
          try {
            running.reconfigure(policyOf(next), next.psk, newKeys);
          } catch (error) {
            current = before;
            recorder.keepOnly(before.policy.tunnels.map(({ name }) => name));
            await change.takeBack();
            close();
            throw error;
          }
          plan = planned;
          life.post(tunnels(next.policy.tunnels));
          for (const note of [...change.notes, ...(await change.finish())]) log.warn(note);
          // Workers answer behind everything that came before: nobody reads a device any more that is not wanted.
          await life.counters().catch(() => undefined);
          devices.keepOnly(new Set(plan.devices.map(({ name }) => name)));
        });
      },
    },
    clock: systemClock,
    log,
    text: start.text,
    created: start.created,
  });
  undo.push({ what: "the watch over confirmations", how: async () => reloader.stop() });
  const api: ControlApi = {
    ...runningApi({
      configuration: () => current,
      plan: () => plan,
      startedAt,
      driver: running,
      reports,
      dataplane: life,
      rawEsp: ready.rawEsp,
      capture: captured,
      recorder,
      log,
    }),
    plan: reloader.plan,
    reload: reloader.reload,
    tunnels: reloader.tunnels,
    events: createEventStreams(reports.events, hex(systemRandom(8))),
  };
  const control = await startControlServer(gateway.controlSocket, api, log);
  undo.push({ what: "the control socket", how: () => control.close() });
  if (gateway.http !== undefined) {
    const http = await startHttpServer(gateway.http, api, log);
    undo.push({ what: "the HTTP server", how: () => http.close() });
    log.info(`the API listens on ${formatSocketAddress(gateway.http.listen)}`);
  }
  running.start();
  return { driver: running, dataplane: life, reloader };
}

/** What the gateway itself has changed, in a line of `ip monitor`. */
function isOurs({ tun, devices, table, defaultTable }: HostPlan, line: string): boolean {
  const names = [tun, ...devices.map(({ name }) => name)];
  return (
    names.some((name) => line.includes(` ${name} `)) ||
    [table, defaultTable].some((each) => line.includes(` table ${each}`))
  );
}

/** An address of a tunnel's device is none where a peer could reach this host. */
function tellAddresses(driver: Driver, { devices }: HostPlan, log: Log): void {
  const inner = new Set(devices.map(({ name }) => name));
  hostAddresses().then(
    (found) => driver.addressesChanged(found.filter(({ device }) => !inner.has(device)).map(({ address }) => address)),
    (error: Error) => log.warn(`this host's addresses could not be read: ${error.message}`),
  );
}

/** Algorithms without a working backend are told; what needs one of them is refused when it is used. */
function checkBackends(log: Log): void {
  const { openssl, choices } = selectBackends();
  log.debug(`crypto self-test done: ${openssl}`);
  for (const { row, backend, skipped } of choices)
    if (skipped.length > 0)
      log.warn(`${row.name}: ${backend ? `runs on the slower backend ${backend}` : "does not work on this host"}`, {
        skipped: skipped.map((one) => `${one.backend}: ${one.reason}`),
      });
}

function liveRoutes(plan: HostPlan, configuration: () => Configuration, log: Log): LiveRoutes {
  const rangesOf = (name: string, mappings: readonly number[]): TrafficSelector[] => {
    const { policy, routeModes } = configuration();
    if (routeModes.has(name)) return [];
    const all = policy.tunnels.find((tunnel) => tunnel.name === name)?.mappings ?? [];
    return mappings.flatMap((index) => all[index]?.peer ?? []);
  };
  return createLiveRoutes(plan, rangesOf, (changed) =>
    replaceRoutes(plan, changed).catch((error: Error) =>
      log.warn(`the MTU of a route stays as it was: ${error.message}`),
    ),
  );
}

async function dataplaneSettings({ gateway }: Configuration, plan: HostPlan): Promise<DataplaneSettings> {
  const families = (await hasIpv6()) ? ([4, 6] as const) : ([4] as const);
  const addresses = gateway.address ? [gateway.address] : families.map(unspecified);
  const { ike, natT } = gateway.ports;
  return {
    tunName: gateway.tun.name,
    sockets: addresses.flatMap((address) => [
      { address, port: ike },
      { address, port: natT },
    ]),
    natTPort: natT,
    mark: plan.mark,
    rawEsp: true,
    workers: gateway.workers,
  };
}

function tunnelsMessage(
  configured: readonly TunnelPolicy[],
  { wrappings, exceptions, routeModes }: Configuration,
  devices: RouteDevices,
): ToWorker {
  const tunnels = configured.map((tunnel) => {
    const { name, mappings } = tunnel;
    const wrapping = wrappings.get(name) ?? USUAL_WRAPPING;
    const own = routeModes.get(name)?.device;
    return {
      name,
      mappings,
      exceptions: exceptions.get(name) ?? [],
      onTraffic: waitsForTraffic(tunnel),
      wrapping,
      ...(own !== undefined && { device: devices.find(own) ?? missingTun(own) }),
    };
  });
  return { kind: "tunnels", tunnels };
}

/** Without raw sockets every tunnel asks for UDP encapsulation, which needs none. */
function usablePolicy(policy: Policy, ready: Ready): Policy {
  if (ready.rawEsp) return policy;
  return { ...policy, tunnels: policy.tunnels.map((tunnel) => ({ ...tunnel, encapsulation: "udp" as const })) };
}

interface ControlParts {
  readonly configuration: () => Configuration;
  readonly plan: () => HostPlan;
  readonly startedAt: number;
  readonly driver: Driver;
  readonly reports: Reports;
  readonly dataplane: DataplaneLife;
  readonly rawEsp: boolean;
  readonly capture: Capture;
  readonly recorder: Recorder;
  readonly log: Log;
}

function peerAddresses({ tunnels }: Policy, name: string): readonly string[] {
  const peer = tunnels.find((tunnel) => tunnel.name === name)?.peer;
  return peer?.kind === "address" ? [formatAddress(peer.address)] : [];
}

/** What is asked of the gateway as it runs. */
function runningApi(parts: ControlParts): Omit<ControlApi, "plan" | "reload" | "tunnels" | "events"> {
  const { configuration, plan, startedAt, driver, reports, dataplane, rawEsp, capture, recorder, log } = parts;
  const viewOf = (tunnel: string) => driver.views().find((view) => view.name === tunnel);
  const failures = keepFailures(reports);
  const counted = () => dataplane.counters().catch(() => undefined);
  const statusOf = (views: readonly TunnelView[], counters: CountersMessage | undefined) =>
    statusReport({
      gateway: configuration().gateway.name,
      version: packageVersion,
      startedAt,
      now: systemClock.now(),
      views,
      tunOf: (tunnel) => configuration().routeModes.get(tunnel)?.device ?? configuration().gateway.tun.name,
      ...(counters && { counters }),
    });
  return {
    async status(tunnel?: string) {
      const views = driver
        .views()
        .filter((view) => tunnel === undefined || view.name === tunnel)
        .map((view) => withCause(view, recorder.recorded(view.name, view.state)));
      if (tunnel !== undefined && views.length === 0) return undefined;
      return statusOf(views, await counted());
    },
    capture(wish) {
      if (!driver.views().some(({ name }) => name === wish.tunnel)) return undefined;
      if (capture.isRunning()) return "busy";
      log.warn(`somebody records tunnel ${wish.tunnel} for ${wish.seconds} s, with its keys`);
      return captureReply(capture, wish);
    },
    async diagnosis() {
      const counters = await counted();
      const own = (await hostAddresses()).map(({ address }) => address);
      return {
        setup: setupOf(configuration(), plan(), own),
        status: statusOf(driver.views(), counters),
        daemon: {
          pid: process.pid,
          capabilities: ownCapabilities(),
          raw_esp: rawEsp,
          io: counters?.io ?? null,
        },
        failures: failures.read(),
      };
    },
    async explain(tunnel) {
      const view = viewOf(tunnel);
      return (
        view &&
        explanation(view, recorder.recorded(tunnel, view.state), profileReport(configuration().profiles.get(tunnel)))
      );
    },
    async why(tunnel) {
      const view = viewOf(tunnel);
      return view && history(view, recorder.recorded(tunnel, view.state));
    },
    act(tunnel, action) {
      recorder.note(tunnel, ASKED[action]);
      return act({ driver, reports, clock: systemClock }, tunnel, action);
    },
  };
}

/** For the flight recorder. */
const ASKED: Readonly<Record<Action, string>> = {
  up: "the operator brings the tunnel up",
  down: "the operator takes the tunnel down",
  rekeyChildren: "the operator renews the child SAs",
  rekeyIke: "the operator renews the IKE SA",
};
