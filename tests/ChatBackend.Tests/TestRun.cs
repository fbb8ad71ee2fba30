using System.Reflection;
using System.Runtime.CompilerServices;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestFramework(typeof(ChatBackend.Tests.BoundedFramework))]

namespace ChatBackend.Tests;

/// <summary>The hosts of a test run do not watch their settings files. Each would need a watcher of its own, and Linux allows a user 128
/// (<c>fs.inotify.max_user_instances</c>).</summary>
internal static class FileWatchers
{
    [ModuleInitializer]
    internal static void TurnOff() => Environment.SetEnvironmentVariable("DOTNET_hostBuilder__reloadConfigOnChange", "false");
}

/// <summary>xUnit.net runs as many classes at once as there are cores. Each has services with connections and memory of their own: the tests of
/// Features/Chat alone took 252 of PostgreSQL's 400 connections with 64 at once on two cores, and 69 with eight.</summary>
public sealed class BoundedFramework : XunitTestFramework
{
    private const int MostClassesAtOnce = 8;

    protected override ITestFrameworkExecutor CreateExecutor(Assembly assembly) => new Executor(new XunitTestAssembly(assembly));

    private sealed class Executor(XunitTestAssembly assembly) : XunitTestFrameworkExecutor(assembly)
    {
        public override ValueTask RunTestCases(
            IReadOnlyCollection<IXunitTestCase> testCases, IMessageSink executionMessageSink, ITestFrameworkExecutionOptions executionOptions, CancellationToken cancellationToken)
        {
            var asked = executionOptions.MaxParallelThreadsOrDefault();
            executionOptions.SetValue("xunit.execution.MaxParallelThreads", (int?)(asked is > 0 and < MostClassesAtOnce ? asked : MostClassesAtOnce));
            return base.RunTestCases(testCases, executionMessageSink, executionOptions, cancellationToken);
        }
    }
}
