import java.nio.file.*;
import java.util.*;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.ers.*;

/** Reads a file whose lines are RECORD TAB DOCUMENT TAB…; prints OK for each, or what BouncyCastle has against it. */
public class BouncyCastleErs {
    public static void main(String[] args) throws Exception {
        DigestCalculatorProvider digests = new JcaDigestCalculatorProviderBuilder().setProvider(new BouncyCastleProvider()).build();
        for (String line : Files.readAllLines(Paths.get(args[0]))) {
            String[] names = line.split("\t");
            try {
                ERSEvidenceRecord record = new ERSEvidenceRecord(Files.readAllBytes(Paths.get(names[0])), digests);
                List<ERSData> documents = new ArrayList<>();
                for (int i = 1; i < names.length; i++) {
                    documents.add(new ERSByteData(Files.readAllBytes(Paths.get(names[i]))));
                }
                Date now = new Date(Long.MAX_VALUE);
                for (ERSData document : documents) {
                    record.validatePresent(document, now);
                }
                if (documents.size() > 1) {
                    record.validatePresent(new ERSDataGroup(documents), now);
                }
                X509CertificateHolder authority = record.getSigningCertificate();
                record.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider(new BouncyCastleProvider()).build(authority));
                System.out.println("OK");
            } catch (Exception refused) {
                System.out.println(refused.getClass().getSimpleName() + ": " + refused.getMessage());
            }
        }
    }
}
