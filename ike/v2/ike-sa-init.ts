/**
 * IKE_SA_INIT, RFC 7296 section 1.2, in both roles:
 *
 *     HDR, SAi1, KEi, Ni  -->
 *                         <--  HDR, SAr1, KEr, Nr, [CERTREQ]
 *
 * with COOKIE and INVALID_KE_PAYLOAD in front of it. Nothing here is authenticated (`decisions.md` 5): what goes wrong is
 * told, and the initiator waits for something better until its timeout.
 */
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import { ProtocolError } from "../core/errors.js";
import { addressText } from "../core/identity.js";
import { faceNat, natNotifications, natVerdict } from "../core/nat.js";
import { chooseIke, chosenIke, noProposalChosen, offerIke } from "../core/negotiate.js";
import type { TunnelPolicy } from "../core/policy.js";
import { outstanding } from "../core/retransmit.js";
import { GIVE_UP_AFTER } from "../core/retransmit.js";
import { HALF_OPEN_LIFE, REFUSED_INIT_LIFE } from "../core/timers.js";
import type { Answer } from "../core/types.js";
