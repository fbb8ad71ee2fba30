using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;

namespace ChatBackend.Tests.Infrastructure.Health;

/// <summary>The command <c>check</c> in its own process, against servers on this machine.</summary>
public sealed class CheckConnectionsTests
{
    [Fact]
    public async Task Check_connects_to_everything_and_names_what_failed_in_the_servers_own_words()
    {
        await using var qdrant = await StubQdrant.StartAsync();
        await using var model = await StubOpenAi.StartAsync();
        var database = await PostgresServer.CreateDatabaseAsync();
        model.Answer("Yes");

        var (code, output) = await CheckAsync(database, qdrant.Url, StubQdrant.Key, model.BaseUrl);
        Assert.True(code == 0, output);
        Assert.Matches(@"(?m)^database +ok +PostgreSQL \d+", output);
        Assert.Matches("(?m)^embedding +ok +text-embedding-3-small, 1536 dimensions", output);
        Assert.Matches("(?m)^model +ok +", output);
        Assert.Matches("(?m)^qdrant +ok +no book yet", output);
        Assert.Equal(1, Assert.Single(model.Requests).Body.GetProperty("max_completion_tokens").GetInt32());

        model.FailEmbeddings(401, "invalid_api_key", times: 9).Fail(404, times: 9, message: "The model does not exist.");
        (code, output) = await CheckAsync(database.Replace("Database=", "Database=no_such_"), qdrant.Url, "wrong", model.BaseUrl);
        Assert.Equal(1, code);
        Assert.Matches("(?m)^database +failed +.*3D000: .*DATABASE_URL", output);
        Assert.Matches("(?m)^embedding +failed +.*did not accept the key \\(401\\).*OPENAI_API_KEY", output);
        Assert.Matches("(?m)^model +failed +.*It says: .*The model does not exist. .*OPENAI_CHAT_MODEL", output);
        Assert.Matches("(?m)^qdrant +failed +Qdrant refused the key \\(401\\): QDRANT_API_KEY. It says: Invalid API key or JWT", output);
        await PostgresServer.DropDatabaseAsync(database);
    }

    [Theory]
    [InlineData("--offline", 0, "The service would start")]
    [InlineData("--ofline", 1, "Usage: ChatBackend check [--offline]")]
    public async Task Offline_it_connects_to_nothing_and_another_option_is_refused(string option, int expected, string words)
    {
        const string Nothing = "http://127.0.0.1:1";

        var (code, output) = await CheckAsync("Host=127.0.0.1;Port=1;Database=none;Username=none", Nothing, "key", Nothing, option);

        Assert.Equal(expected, code);
        Assert.Contains(words, output);
        Assert.DoesNotContain("failed", output);
    }

    private static async Task<(int Code, string Output)> CheckAsync(string database, string qdrant, string key, string model, params string[] options)
    {
        await using var check = ServiceProcess.Start(
            new()
            {
                ["ASPNETCORE_ENVIRONMENT"] = "Production",
                ["DATABASE_URL"] = database,
                ["QDRANT_URL"] = qdrant,
                ["QDRANT_API_KEY"] = key,
                ["OPENAI_BASE_URL"] = model,
            },
            ["check", .. options]);
        return (await check.WaitForExitAsync(), check.Output);
    }
}
