using ChatBackend.Infrastructure.Configuration;

namespace ChatBackend.Tests.Infrastructure.Configuration;

public sealed class GlossaryFileTests
{
    [Theory]
    [InlineData("# Terms\n\nROS 2\n[ur]\nnode = X\n[ar]\nnode = Y\n", null)]
    [InlineData("", null)]
    [InlineData("node =\n", "line 1 of the file has no translation of 1 to 100 characters after its =")]
    [InlineData("ROS 2\n= X\n", "line 2 of the file has no term of 1 to 100 characters")]
    [InlineData("node\nNode = X\n", "line 2 of the file has a term that is there before")]
    [InlineData("[the Urdu terms]\n", "line 1 of the file names no language: write [ur] or [*]")]
    public async Task A_fault_names_its_line(string file, string? problem)
    {
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, file, TestContext.Current.CancellationToken);

        Assert.Equal(problem, GlossaryFile.Problem(path));
        File.Delete(path);
    }

    [Fact]
    public void A_file_that_is_not_there_is_a_fault() => Assert.Equal("the file cannot be read (FileNotFoundException)", GlossaryFile.Problem("/no-such-glossary"));
}
