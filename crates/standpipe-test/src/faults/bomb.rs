//! A gzip file of zeros, without a compressor: about a thousand to one, the most that deflate gives.

use super::content::Content;

/// The longest run that one symbol of deflate stands for.
const RUN: u64 = 258;
const END_OF_BLOCK: [u8; 2] = [1, 1];

/// `n` zeros as gzip has them (RFC 1952).
///
/// One block of deflate (RFC 1951) with codes of its own: one bit for a match of 258 bytes, one for
/// its distance, 1; two bits for a literal zero and for the end of the block. So a run of matches is a
/// run of zero bits, and needs no memory.
pub(super) fn gzip_of_zeros(n: u64) -> Content {
    let mut content = Content::default();
    content.push(&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..]);
    let mut bits = Bits::default();
    codes(&mut bits);
    // A match copies what is there, so the first zero is a literal.
    let runs = n.saturating_sub(1) / RUN;
    let literals = n - runs * RUN;
    let mut matches = 2 * runs;
    if literals > 0 {
        literal(&mut bits);
    }
    while matches > 0 && !bits.is_aligned() {
        bits.push(&[0]);
        matches -= 1;
    }
    if bits.is_aligned() {
        content.push(bits.take());
        content.push_zeros(matches / 8);
    }
    bits.push(&[0; 7][..(matches % 8) as usize]);
    (1..literals).for_each(|_| literal(&mut bits));
    bits.push(&END_OF_BLOCK);
    content.push(bits.take());
    content.push(crc32_of_zeros(n).to_le_bytes().to_vec());
    content.push((n as u32).to_le_bytes().to_vec());
    content
}

fn literal(bits: &mut Bits) {
    bits.push(&[1, 0]);
}

/// The head of the block: the lengths of the codes, themselves in a code of three symbols.
///
/// Symbols 0 (literal zero) and 256 (end) have two bits, 285 (a run of 258) has one; distance 0 has
/// one. All other symbols have none.
fn codes(bits: &mut Bits) {
    // The last block, with codes of its own.
    bits.number(1, 1);
    bits.number(0b10, 2);
    // 286 symbols, one distance, 18 lengths of the code of lengths.
    bits.number(286 - 257, 5);
    bits.number(0, 5);
    bits.number(18 - 4, 4);
    // In the order of RFC 1951, 3.2.7: 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1.
    // Symbol 18, a long run of none, has one bit; 1 and 2, the lengths in use, have two.
    for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] {
        bits.number(length, 3);
    }
    const ONE: [u8; 2] = [1, 0];
    const TWO: [u8; 2] = [1, 1];
    let none = |bits: &mut Bits, n: u32| {
        bits.push(&[0]);
        bits.number(n - 11, 7);
    };
    bits.push(&TWO);
    none(bits, 138);
    none(bits, 117);
    bits.push(&TWO);
    none(bits, 28);
    bits.push(&ONE);
    bits.push(&ONE);
}

/// Bits in the order of deflate: from the lowest of each byte.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    /// How many bits of the last byte are in use, where it is not whole.
    used: u8,
}

impl Bits {
    /// Bits as they come; a code's first bit is its highest.
    fn push(&mut self, bits: &[u8]) {
        for bit in bits {
            if self.used == 0 {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().expect("a byte in use");
            *last |= bit << self.used;
            self.used = (self.used + 1) % 8;
        }
    }

    /// A number, from its lowest bit.
    fn number(&mut self, n: u32, bits: u32) {
        (0..bits).for_each(|at| self.push(&[(n >> at & 1) as u8]));
    }

    fn is_aligned(&self) -> bool {
        self.used == 0
    }

    /// The bytes so far; one that is not whole is filled up with zero bits.
    fn take(&mut self) -> Vec<u8> {
        self.used = 0;
        std::mem::take(&mut self.bytes)
    }
}

/// CRC-32 of `n` zeros, by squaring: a zero byte multiplies what is there by x^8.
fn crc32_of_zeros(n: u64) -> u32 {
    // Bits reversed, as CRC-32 has them: the highest bit is x^0.
    const ONE: u32 = 1 << 31;
    let mut power = ONE >> 8;
    let mut crc = u32::MAX;
    let mut left = n;
    while left > 0 {
        if left & 1 == 1 {
            crc = product(crc, power);
        }
        power = product(power, power);
        left >>= 1;
    }
    !crc
}

/// The product of two polynomials modulo that of CRC-32.
fn product(a: u32, mut b: u32) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut product = 0;
    for at in (0..32).rev() {
        if a >> at & 1 == 1 {
            product ^= b;
        }
        b = b >> 1 ^ if b & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32 bit by bit, as RFC 1952 has it.
    fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
        !bytes.fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        })
    }

    #[test]
    fn the_checksum_is_that_of_the_zeros() {
        assert_eq!(crc32(b"123456789".iter().copied()), 0xcbf4_3926);
        for n in [0, 1, 2, 7, 258, 1000, 65_537] {
            assert_eq!(crc32_of_zeros(n), crc32((0..n).map(|_| 0)), "{n}");
        }
    }

    #[test]
    fn a_gigabyte_takes_a_megabyte_on_the_wire_and_none_in_memory() {
        let content = gzip_of_zeros(1 << 30);
        assert!(content.len() < (1 << 20) + (1 << 16), "{}", content.len());
        let parts = format!("{content:?}");
        assert!(parts.len() < 4096, "{parts}");
    }
}
