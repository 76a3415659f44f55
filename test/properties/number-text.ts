import fc from "fast-check";

const digits = (minLength: number, maxLength: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength, maxLength }).map((list) => list.join(""));
const whole = fc.oneof(
  fc.constant("0"),
  fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.oneof(digits(0, 3), digits(12, 24)))
    .map(([first, more]) => `${first}${more}`),
);
const fraction = fc.oneof(
  fc.constant(""),
  fc
    .oneof(
      digits(1, 4),
      digits(12, 30),
      digits(1, 9).map((more) => `000000${more}`),
    )
    .map((text) => `.${text}`),
);
const exponent = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("e", "E"), fc.constantFrom("", "+", "-"), digits(1, 4))
      .map((parts) => parts.join("")),
  },
);

/** A number as JSON can write it: with any digits, zeros at its ends, exponents of both cases, and minus zero. */
export const numberText = fc
  .tuple(fc.constantFrom("", "-"), whole, fraction, exponent)
  .map((parts) => parts.join(""));
