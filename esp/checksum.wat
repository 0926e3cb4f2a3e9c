;; The Internet checksum (RFC 1071) with 128-bit vectors. Built by scripts/wat.mjs into checksum-wasm.ts.
;;
;; A sum is the one's complement sum of little-endian 16-bit words. Vectors add pairs of words into four 32-bit lanes; a
;; lane takes 65535 * 2 per vector, so it holds 32768 of them: 512 KiB per accumulator, more than any packet.
;; The loops call no functions, because engines do not inline them.

(module
  (import "arena" "memory" (memory 1))

  ;; Four 32-bit lanes and a 64-bit rest, folded to 16 bits with the carries added back.
  (func $fold (param $lanes v128) (param $rest i64) (result i32)
    (local.set $rest
      (i64.add
        (local.get $rest)
        (i64.add
          (i64.add
            (i64.extend_i32_u (i32x4.extract_lane 0 (local.get $lanes)))
            (i64.extend_i32_u (i32x4.extract_lane 1 (local.get $lanes))))
          (i64.add
            (i64.extend_i32_u (i32x4.extract_lane 2 (local.get $lanes)))
            (i64.extend_i32_u (i32x4.extract_lane 3 (local.get $lanes)))))))
    ;; Below 2^37 now: three rounds leave 16 bits.
    (local.set $rest (call $carry (call $carry (call $carry (local.get $rest)))))
    (i32.wrap_i64 (local.get $rest)))

  (func $carry (param $sum i64) (result i64)
    (i64.add
      (i64.and (local.get $sum) (i64.const 0xffff))
      (i64.shr_u (local.get $sum) (i64.const 16))))

  ;; sum(at, length): the folded sum; an odd last octet counts as the lower half of a word.
  (func (export "sum") (param $at i32) (param $length i32) (result i32)
    (local $a v128)
    (local $b v128)
    (local $rest i64)
    (local $end i32)
    ;; 64 octets at a time, in two chains of additions that do not wait for each other.
    (local.set $end (i32.add (local.get $at) (i32.and (local.get $length) (i32.const -64))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $a
          (i32x4.add
            (local.get $a)
            (i32x4.add
              (i32x4.extadd_pairwise_i16x8_u (v128.load (local.get $at)))
              (i32x4.extadd_pairwise_i16x8_u (v128.load offset=16 (local.get $at))))))
        (local.set $b
          (i32x4.add
            (local.get $b)
            (i32x4.add
              (i32x4.extadd_pairwise_i16x8_u (v128.load offset=32 (local.get $at)))
              (i32x4.extadd_pairwise_i16x8_u (v128.load offset=48 (local.get $at))))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $vectors)))
    (local.set $length (i32.and (local.get $length) (i32.const 63)))
    (block $done
      (loop $words
        (br_if $done (i32.lt_u (local.get $length) (i32.const 4)))
        (local.set $rest (i64.add (local.get $rest) (i64.load32_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $length (i32.sub (local.get $length) (i32.const 4)))
        (br $words)))
    (if (i32.and (local.get $length) (i32.const 2))
      (then
        (local.set $rest (i64.add (local.get $rest) (i64.load16_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))))
    (if (i32.and (local.get $length) (i32.const 1))
      (then (local.set $rest (i64.add (local.get $rest) (i64.load8_u (local.get $at))))))
    (call $fold (i32x4.add (local.get $a) (local.get $b)) (local.get $rest)))

  ;; copySum(to, from, length): copies as it sums.
  (func (export "copySum") (param $to i32) (param $from i32) (param $length i32) (result i32)
    (local $a v128)
    (local $b v128)
    (local $first v128)
    (local $second v128)
    (local $word i64)
    (local $rest i64)
    (local $end i32)
    (local.set $end (i32.add (local.get $from) (i32.and (local.get $length) (i32.const -32))))
    (block $done
      (loop $vectors
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $first (v128.load (local.get $from)))
        (local.set $second (v128.load offset=16 (local.get $from)))
        (v128.store (local.get $to) (local.get $first))
        (v128.store offset=16 (local.get $to) (local.get $second))
        (local.set $a (i32x4.add (local.get $a) (i32x4.extadd_pairwise_i16x8_u (local.get $first))))
        (local.set $b (i32x4.add (local.get $b) (i32x4.extadd_pairwise_i16x8_u (local.get $second))))
        (local.set $from (i32.add (local.get $from) (i32.const 32)))
        (local.set $to (i32.add (local.get $to) (i32.const 32)))
        (br $vectors)))
    (local.set $length (i32.and (local.get $length) (i32.const 31)))
    (block $done
      (loop $words
        (br_if $done (i32.lt_u (local.get $length) (i32.const 4)))
        (local.set $word (i64.load32_u (local.get $from)))
        (i64.store32 (local.get $to) (local.get $word))
        (local.set $rest (i64.add (local.get $rest) (local.get $word)))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (local.set $to (i32.add (local.get $to) (i32.const 4)))
        (local.set $length (i32.sub (local.get $length) (i32.const 4)))
        (br $words)))
    (if (i32.and (local.get $length) (i32.const 2))
      (then
        (local.set $word (i64.load16_u (local.get $from)))
        (i64.store16 (local.get $to) (local.get $word))
        (local.set $rest (i64.add (local.get $rest) (local.get $word)))
        (local.set $from (i32.add (local.get $from) (i32.const 2)))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))))
    (if (i32.and (local.get $length) (i32.const 1))
      (then
        (local.set $word (i64.load8_u (local.get $from)))
        (i64.store8 (local.get $to) (local.get $word))
        (local.set $rest (i64.add (local.get $rest) (local.get $word)))))
    (call $fold (i32x4.add (local.get $a) (local.get $b)) (local.get $rest)))

  ;; copy(to, from, length): as memmove.
  (func (export "copy") (param $to i32) (param $from i32) (param $length i32)
    (memory.copy (local.get $to) (local.get $from) (local.get $length))))
