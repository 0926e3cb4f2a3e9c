/**
 * Loaded before a program (`--import`): its process and its threads are those of a host where no EVP function is found, in Node or beside it.
 */
import koffi from "koffi";

const { load } = koffi;
koffi.load = (...words) => {
  const library = load(...words);
  const func = (...declaration: [string]) => {
    if (/\bEVP_/.test(declaration[0])) throw new Error("hidden from this test");
    return library.func(...declaration);
  };
  return { func } as typeof library;
};
