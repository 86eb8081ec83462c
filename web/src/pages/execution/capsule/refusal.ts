/** Why a file is not taken for a capsule, in words that say what is wrong with it. */
export class Refusal extends Error {
  override name = "Refusal";
}
