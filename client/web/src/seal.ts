/** Seal: what passes between two pupils is readable by these two alone; the host hands on boxes. */
import { fromHex, toHex } from "./protocol/hex";
import { fromBytes, toBytes, type Word } from "./protocol/word";
import { joined, KEY_BYTES, u16 } from "./terms";

const CURVE = { name: "ECDH", namedCurve: "P-256" } as const;
const LABEL = "sotto/v1/ring/seal";
export const RUN_BYTES = 16;
export const IV_BYTES = 12;
export const BOX_BYTES = 24;

/** The way of a message in a run: pupils by their numbers. */
export interface Way {
  readonly run: string;
  /** The digest of the round's terms: pupils who were told different ones do not understand each other. */
  readonly round: Uint8Array;
  readonly ring: number;
  readonly from: number;
  readonly to: number;
}

/** A sealed number, in hex. */
export interface Sealed {
  readonly iv: string;
  readonly box: string;
}

/** Whether this browser can seal at all; without a secure context it cannot either. */
export function canSeal(): boolean {
  return typeof crypto === "object" && typeof crypto.subtle === "object" && typeof BigInt === "function";
}

/** A pupil's key pair, which lives as long as its page: the secret half cannot be read out, not even by the page. */
export class Keys {
  private readonly shared = new Map<string, Promise<CryptoKey>>();

  private constructor(
    private readonly secret: CryptoKey,
    /** The public half in hex: an uncompressed point. */
    readonly publicKey: string,
  ) {}

  static async generate(): Promise<Keys> {
    const pair = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
    return Keys.of(pair);
  }

  /** A given pair; for tests against another program. */
  static async of(pair: CryptoKeyPair): Promise<Keys> {
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    return new Keys(pair.privateKey, toHex(raw));
  }

  /** Seals a number for the pupil whose public key this is. */
  async seal(other: string, way: Way, value: Word, iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))): Promise<Sealed> {
    const key = await this.key(other, way);
    const additionalData = info(way);
    const box = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, toBytes(value));
    return { iv: toHex(iv), box: toHex(new Uint8Array(box)) };
  }

  /** Opens a number of the pupil whose public key this is; fails if it is not of it, or of another way. */
  async open(other: string, way: Way, sealed: Sealed): Promise<Word> {
    const key = await this.key(other, way);
    const [iv, box] = [fromHex(sealed.iv, IV_BYTES), fromHex(sealed.box, BOX_BYTES)];
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: info(way) }, key, box);
    return fromBytes(new Uint8Array(plain));
  }

  private async key(other: string, way: Way): Promise<CryptoKey> {
    const salt = fromHex(way.run, RUN_BYTES);
    const parameters = { name: "HKDF", hash: "SHA-256", salt, info: info(way) };
    return crypto.subtle.deriveKey(parameters, await this.agree(other), { name: "AES-GCM", length: 256 }, false, [
      "encrypt",
      "decrypt",
    ]);
  }

  /** What both have in common; computed once per neighbour. */
  private agree(other: string): Promise<CryptoKey> {
    const before = this.shared.get(other);
    if (before !== undefined) return before;
    const agreed = (async () => {
      const theirs = await crypto.subtle.importKey("raw", fromHex(other, KEY_BYTES), CURVE, false, []);
      const bits = await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, this.secret, 256);
      return crypto.subtle.importKey("raw", bits, "HKDF", false, ["deriveKey"]);
    })();
    this.shared.set(other, agreed);
    return agreed;
  }
}

/** What a key is for, so that a message of one way cannot be played on another. */
function info({ round, ring, from, to }: Way): Uint8Array<ArrayBuffer> {
  return joined([new TextEncoder().encode(LABEL), u16(ring), u16(from), u16(to), round]);
}
