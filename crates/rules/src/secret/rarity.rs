//! How unlike a word or a name a value is.
//!
//! Names in code, words, versions and file names follow habits: which letter comes after which, where capitals and
//! digits stand. Keys do not. [`of`] compares a value under those habits with the same value under an even draw from
//! the alphabet it uses: below zero it looks drawn, above zero named. Naive Bayes over pairs of characters.

/// Letters in two cases, one sign for all digits, one for everything else.
const SIGNS: usize = 54;
const DIGIT: usize = 52;
const OTHER: usize = 53;

/// Which sign follows which: by the sign before, then by the sign after, 40 plus eighths of a nat of surprise.
/// Counted by us over the names and words (each weighed by the logarithm of its count) of the sources, manifests and
/// documentation of some 500 open-source crates; only these counts are kept.
const SURPRISE: [&[u8; SIGNS]; SIGNS] = [
    br"SC?>SOE^DfL9A;eBd9<6LPLOI\pjcgjkppppnopjpbpjhlppmpppdJ",
    br"<NFW<UZc8FY6RN=VlDBH:Tid<acf`egkhlipkpphjhpndlpmlmpp_F",
    br";SIT:Rc:Bm=AMY6NZAI:EPg^Ok\e[bbdpp^p\lgkeap_^]dicpppeD",
    br"?WYD4QKY<\aIW\CVaFDQHVXYOpXYUXWZb_Ypa\[]ZXmWSW]_appm]9",
    br"BV@>KHM`TbW?E;WKN8;>YKPDKd_`\_[^hf\pcaac`\p]Y[dbbppic>",
    br"ATQK><Oo7o]APQ<Vo=BEFk\oJpfcbgdjpl`ppnapbhp`fcimhpmpY;",
    br"E]P^3WKC@phGL>EZe?AHFbdkU`]\W[Z``a[m]^^^c[jYV\b^dpjnd:",
    br"7[ZO5W\d=mYTGW<[nAN@EhRlOp[[[Z]efecpfaYcb\mUR`hafopp`;",
    br"DK>ACEAfXeYA@4=H`H=8eEpLpDoliepppppppomppkplgoppppppeP",
    br"@ZKN0YXP>bHZRX8PXW9L?]T[]]Z`_Yfbb\[bbf_]_\pW[f[b__Z`[E",
    br"GTKJ0ZY[=g`PVFQTcW?NLUWZU`YZTYW\c^Zni\UZZSaWLWcY^pkj_;",
    br"=UTB6<Rb8pT=[^:Qj]IDAUacCibc[``cji`pimfcd[pcY`ibjpppcA",
    br"7FSM4\\i<p_CFK?:\ZDP?XfdSp__]`__lm\nkhcii`p\X_hbepplf?",
    br"@Z?;;I:\BbLNZIBMjX>7FLVkRb`c[`_aoj`pi__ca]m\[\gbfppee?",
    br"LL?@[HL\JYG@=5FAp8DB>IBT^ggcddijpmcpogenm`pc]dfghpnppE",
    br"7ZSN8WWIBpO=YZ<B^:G<@Y[eLn^c_baakgepgcdgdep\\`lcippp^B",
    br"]TJKLeOlVeh7XSZVQEHT.[Tfh`Y]VY^c]_]cb[b_^ehXYK]clapcb?",
    br";XIG5QJb:pOOHJ;V\C?@GNY[Cp`^[`]akg^pee_bc_p_Z`fdhppmg>",
    br"G_E[5ZTC=fNJNTFEOYA7D[WdMffg_bbfmpbppjeggcpb^_ifhpppd:",
    br"=`JS6S\@:jkNP]>Qm<DHI_XRD]Z_Z_Y]fc^pha^a_^pZXZd_dppp_<",
    br"FACN<CKhBmb==8P?p;;7[ghQpYpppppnpppppppopppolppppppp[S",
    br"4\QX0TRb9niSNWGQg[RY]gfMdbdgmgbdjfdpmomjjenW_gngppgpTB",
    br";[XR=Y]E6p_M\<>[Z9BN^gKadi]_]\[[Y_`ldXZ]c^nYTXda`ljhc=",
    br"DZEN@QbQCpfWRWM8dUQ4TW^OTi]]UTUQZ\Yni\Z^_Ye\SW_^^nppR:",
    br"MPR^I]XbNlhJICO9pXB=`RShcWWQRURV``Tf`VWRWUdSOUZW_klha6",
    br"?^TN+W`]@dYQTZD^`\U]VQ]^IFV[^ZY[`_bhcpc_^a\aWZg`dpic\G",
    br"hVRO_X`hjpmK]NoVpIMNR`dnpnTE>@KNBbGeO>D>^Bf>=7DOTCPc\C",
    br"DpdpIehdCipHbkCppFbkBgpeFi?PGKBUS`<>R;NGDJkA@>BS^eFncF",
    br"FnffLipHTppJcb=`pKbYRppp_p=KIM?JN?Gc@EDR;GXAC=NN^bLma@",
    br"Ehen?poeEpoeldJopQZpRpjoYpBLPE8KTL;_aKNUFK^ECJKPY[Wj_:",
    br"^p`dpijkfppUWHehXK\geYpGmpBT@BKJIXTcXFE=PKL:><SBTCGi`=",
    br"KihXVhnpCpiH]SFWpH[eKkpgfpBONFB?R_;p]8PR?LYD;CGiUbQl^@",
    br"Sf^dCooaZoiTogMghF^bLhdfp]GQKS6PQJ>mZLNCIM`?>INT\XYb`:",
    br"@e^bCmpmLg]iXjLYjj^SQp`jUm7\MN9Q\[AhPVHS>Mf?NCD[CeHMa=",
    br"lplNpc_mpppbS?Z]plSLphppppLMA=J>BgYgfCB79@dJB:\JfMpHeJ",
    br"B_S\RZddL_\V`_?SZdBoG]U\YWMQUZ8WS_CWH_RVAOYUC_M_XZV^\7",
    br"Obei;gjXFhphhWXhk]`e`ae]baNMBG2MPQBafQSMPM`OEIM][b_c_:",
    br"LpipHlppGnpkmpGpmpapblkjhh8QNE;POa9pIAQW<QgTGCIX]gM_K@",
    br"@lbiFpjiIopcfnGpne]fIajnRg6HKC9SPU?pXBHN@>aSAJGZhaZ`c@",
    br"InppNepk`moppmFpppeiNpppmpAVB?>?>WAdI9YJ?VaDA<GKdbUgZ@",
    br"iS]kpNiphpa``QmJpP[ZQVWjppLC9CQEN\K^MAC8G?h:D?AKEZ^poB",
    br"AlglOoVXVpbTknIpi@^[Ofnpgp>TIQ;JTGEpEHIY=C];G?JI\`UpZ>",
    br"Xd_hdaUhad_dhaXh^hX_<hZ_ddKTQIGTIaL[h1IOQNhOOX4^_aa[]?",
    br"Lpbp=pppVnpipYQnlm^_Tpapmp?WGJ7FNc=pTJIJ=I[EC?KOTVEhc=",
    br"SpPfBppPJpcU\^RNWpdCMd_nPpCVCV<XPC?pJHOIFEFLA:FZX^B[]=",
    br"OmfpOppOLpp^ppLppIgpYp^pKc=TGS9N`C>pXEIRBKi;EAFZ\HFbc<",
    br"cfg`jgdp^fpcZ>iJmXJMbmppgpODK??DJjDek>@9T=h=::V]fNkc^M",
    br":iiaBcmgHmhchkWjpg[ahijd`g<UEM6CZL?jcEFMJ<\OMMbb[GmcMB",
    br"BhZ`CpfE;fa^``D]p?Ybbabc^f;SDKBQZL:S^FJ@BLT?DHVdXS\j^A",
    br"dnXYefko]`oe^mUdd[cejp_`pdFXFGBH]XIc[FQPMCLLJ9WXbOP]I8",
    br"Sp_cKpffXkkk]kVgkpap_kgdkgRRN`TVUaVkcPJAV7aS5B^YVdTWa7",
    br"KUTV:XUWA``TNWAZZZO`QZ]]X[H_KY/^RUH`eRRTD_]]LSeXKQPPZA",
    br"YWXTYV`^Wh[``^c_dX]\g^gVggYYY[]W[a^h\]V^]Ye`WXcW\_ef@8",
    br"BDADDDKKAZOFDFHBZB<BIIIT]XFJFKIIQRF_UMGFMF^HBIOORTf^^N",
];

/// Most nats that one pair may speak against a name: one odd pair does not make a key.
const ODDEST: f32 = 6.0;

fn sign(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'A'..=b'Z' => usize::from(byte - b'A') + 26,
        b'0'..=b'9' => DIGIT,
        _ => OTHER,
    }
}

/// Number of characters of the alphabet that a value seems to be drawn from.
fn alphabet(value: &[u8]) -> f32 {
    let has = |test: fn(&u8) -> bool| value.iter().any(test);
    let letters = value.iter().filter(|b| b.is_ascii_alphanumeric());
    if letters.clone().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        || letters.clone().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
    {
        return 16.0;
    }
    let size = 26 * (u8::from(has(u8::is_ascii_lowercase)) + u8::from(has(u8::is_ascii_uppercase)))
        + 10 * u8::from(has(u8::is_ascii_digit));
    f32::from(size.max(10))
}

/// Nats for a name, against a draw: about −1.5 a character for drawn values, +0.5 for names. Parts that are numbers,
/// as in versions and dates, say nothing.
#[must_use]
pub(crate) fn of(value: &[u8]) -> f32 {
    let even = alphabet(value).ln();
    let mut last = OTHER;
    let mut sum = 0.0;
    for part in value.split_inclusive(|b| matches!(b, b'-' | b'_' | b'.' | b'/' | b':')) {
        let numbers = part.iter().all(|b| !b.is_ascii_alphabetic());
        for byte in part {
            let next = sign(*byte);
            if next != OTHER && !numbers {
                let surprise =
                    SURPRISE.get(last).and_then(|row| row.get(next)).map_or(0.0, |b| f32::from(b - 40) / 8.0);
                sum += even - surprise.min(ODDEST);
            }
            last = next;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_draws() {
        for text in [
            "X509CertificateTemplatePrivateKeyFlag",
            "TLS13_CHACHA20_POLY1305_SHA256_INTERNAL",
            "CleartextPassword1",
            "org.example.graph2-api",
            "credentials_20231217_v2",
            "opensesame",
        ] {
            assert!(of(text.as_bytes()) > 0.0, "{text}: {}", of(text.as_bytes()));
        }
        for text in ["x2xsjrgi5v9owc", "aGVsbGdXbYxDdRsQ", "8a3f99c01b7d44e2", "kT9zvLq2wX", "QZRTXKCDWQPMVBTX"] {
            assert!(of(text.as_bytes()) < -6.0, "{text}: {}", of(text.as_bytes()));
        }
    }

    #[test]
    fn the_table_is_whole() {
        assert!(SURPRISE.iter().all(|row| row.iter().all(|b| (40..=112).contains(b))));
    }
}
