/** Validates SR documents with PixelMed's DicomSRValidator, all in one JVM: it takes a quarter of a minute to read its rules. */
public final class ValidateSr {
    private ValidateSr() {
    }

    public static void main(String[] paths) throws Exception {
        var validator = new com.pixelmed.validate.DicomSRValidator();
        for (String path : paths) {
            System.out.println("## " + path);
            System.out.println(validator.validate(path));
        }
    }
}
